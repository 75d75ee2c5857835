"""What the driver uses of Nova, with types: Nova's own code has few. ``nova/surface.toml`` names the release."""
