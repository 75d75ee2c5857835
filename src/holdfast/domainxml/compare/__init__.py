"""Two documents of one domain: which device is which, what the guest would see differ, what the host side does.

Nothing here decides whether a difference is allowed, and no document is changed.
"""
