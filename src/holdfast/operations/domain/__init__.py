"""A domain as a whole: created, cloned, renamed, sealed, edited, deleted."""
