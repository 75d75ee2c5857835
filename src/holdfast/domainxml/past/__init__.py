"""Documents of the past made whole again: what the history does not keep, and what is today's, is put into them.

Nothing here reads a history, or decides whether a document may come back.
"""
