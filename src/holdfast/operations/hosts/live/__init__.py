"""Moving a guest that runs: the migration itself, and how one that was cut off stands."""
