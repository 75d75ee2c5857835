"""``scripts/chain``: guests on hosts of three generations, what each step changes for them, and what was foretold."""
