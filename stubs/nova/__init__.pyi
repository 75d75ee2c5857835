"""What the driver uses of Nova, with types: Nova's own code has few. It is that of Nova 34."""
