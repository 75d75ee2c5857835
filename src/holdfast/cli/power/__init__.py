"""The commands that start and stop a domain, save it, rescue it or bring it back."""
