"""One document in words, for people: its hardware as a tree or a list, its identity, and what Holdfast does not know.

What differs between two documents is for ``compare`` to say. No document is changed here.
"""
