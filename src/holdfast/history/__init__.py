"""The log of past documents: a git repository of the host, one ref per domain UUID.

Here belongs how entries are written and read, as text. What of a document is kept, and what is said of a change, is
decided in operations; nothing here knows a document or a libvirt. The history is never read to decide what a domain is.
dulwich is imported inside functions alone: commands that do not record go without it.
"""
