"""Dry runs of every operation that has one: that they promise what is done, and over which connection."""
