"""Two documents of one domain: what the guest would see differ, and what the host side does. Decides nothing."""
