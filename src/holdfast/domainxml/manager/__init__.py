"""Documents that a manager such as OpenStack Nova generates: what of them a domain's own document takes over.

A generated document is only read. What results is a changed copy of the domain's own, to be judged and applied
elsewhere.
"""
