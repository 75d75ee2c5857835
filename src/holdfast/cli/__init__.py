"""The command line: one file per noun; each command calls one operation and prints what it returns. No decisions."""
