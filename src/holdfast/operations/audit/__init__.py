"""What needs attention, on one host or many: findings and their reports. Reads only."""
