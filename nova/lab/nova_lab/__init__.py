"""A real OpenStack on one machine, for the tests and the benchmarks of the compute driver."""
