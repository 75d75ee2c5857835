"""What a QEMU makes of a document, seen by starting one for that alone. No domain of anybody's is touched."""
