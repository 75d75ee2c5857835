"""Changing settings of a domain, a disk or an interface that stays what and where it is."""
