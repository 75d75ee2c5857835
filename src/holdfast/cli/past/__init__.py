"""What was done to domains in the past: reading the history of a host, and recording in it."""
