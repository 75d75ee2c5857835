"""A host as the place of a cold start: what it can give, what it has, and what it would make of a document."""
