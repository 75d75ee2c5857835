"""Looking at domains and hosts without changing them: list, show, compare, foresee, watch."""
