"""One document put into words: its hardware as a tree or a list, its identity, and what of it is unknown."""
