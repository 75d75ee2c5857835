"""Starting and stopping, and what a start may need first: repair, rescue, saved memory, a host that has booted."""
