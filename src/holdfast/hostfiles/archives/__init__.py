"""Archives: a domain with what belongs to it, in one file."""
