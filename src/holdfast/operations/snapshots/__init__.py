"""Snapshots: making, listing, deleting, and reverting to them."""
