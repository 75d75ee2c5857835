"""Makes the driver importable as ``nova.virt.holdfast``, the only place where Nova looks for drivers.

``nova.virt`` is an ordinary package, so that nothing outside Nova's own folder is found in it: a wheel that brings a
file of that name works only where it is installed into the same site directory. A ``.pth`` file beside this package
imports this module whenever Python starts, and the finder answers for that one name wherever Nova is.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

NAME = "nova.virt.holdfast"


class Finder:
    """Finds one module: NAME."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module that re-exports the driver, for NAME; None for every other name (importlib.abc.MetaPathFinder)."""
        if name != NAME:
            return None
        from importlib.util import spec_from_file_location  # every Python that starts would pay for it

        return spec_from_file_location(NAME, __file__.replace("importable.py", "nova_virt_holdfast.py"))


if Finder not in sys.meta_path:
    sys.meta_path.append(Finder)
