"""The project's rules as tests: the architecture (DESIGN in ARCHITECTURE.md), the linters, the package."""
