"""What a host can do with a document, as its capabilities say. No document is changed here."""
