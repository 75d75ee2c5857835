"""What the build works out for ``pyproject.toml``: the version, which stands in Holdfast's own source only.

``lab`` and ``nova`` have this same file, so that each can be built from its sdist alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class HoldfastVersion(MetadataHookInterface):
    """Sets ``version``, and ``dependencies``: Holdfast of exactly this version, and what the hook's own table lists."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the fields in ``metadata``, the table ``project`` of pyproject.toml."""
        version = self._version()
        metadata["version"] = version
        metadata["dependencies"] = [f"holdfast=={version}", *self.config.get("dependencies", [])]

    def get_known_classifiers(self) -> list[str]:
        """The classifiers that Debian 12's hatchling (1.12) does not know."""
        return ["Programming Language :: Python :: 3.13"]

    def _version(self) -> str:
        in_sdist = Path(self.root, "PKG-INFO")
        if in_sdist.exists():
            file, pattern = in_sdist, r"^Version: (.+)$"
        else:
            file, pattern = Path(self.root).parent / "src/holdfast/__init__.py", r'^__version__ = "(.+)"$'
        found = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
        if found is None:
            raise ValueError(f"{file} says no version")
        return found[1]
