"""All decisions: one verb, one file. Each public function is one command of the CLI and one call of the Python API."""
