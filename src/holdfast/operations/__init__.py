"""All decisions: one verb, one file, in rooms by what a person works on. Each public function is one call of the Python
API and one command of the CLI, but for :func:`follow_document`, which is for managers.

``from holdfast import operations; operations.start(connection, "a")``: ``__init__.pyi`` is the list of what is public,
functions and the types that they take and return. It is the one list of verbs; tests hold the docs and the CLI to it.
A function is imported when it is first used, so that a program that only lists domains does not pay for reading
documents (SPEC 1 of Scientific Python).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
