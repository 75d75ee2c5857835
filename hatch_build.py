"""What the build works out for ``pyproject.toml``: the README as a package index can show it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"!?\[([^]]+)\]\((?!https?:)[^)]+\)")
"""A link or an image that points into this repository; the group is its text."""


class ReadmeForIndex(MetadataHookInterface):
    """Sets ``readme``: a page elsewhere has no ``docs/``, so only the text of a relative link is left."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field in ``metadata``, the table ``project`` of pyproject.toml."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": RELATIVE_LINK.sub(r"\1", text)}

    def get_known_classifiers(self) -> list[str]:
        """The classifiers that Debian 12's hatchling (1.12) does not know."""
        return ["Programming Language :: Python :: 3.13"]
