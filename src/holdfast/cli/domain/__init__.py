"""The commands that make, change or delete a domain as a whole."""
