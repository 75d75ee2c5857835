"""Every element and attribute path of a domain document, read from libvirt's own RELAX NG schema."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

SCHEMAS = Path("/usr/share/libvirt/schemas")
_RNG = "{http://relaxng.org/ns/structure/1.0}"


class SchemaPaths:
    """Walks domain.rng and what it includes. ``paths`` are relative to <domain>: "devices/disk/target@bus", "memory".

    ``values`` are the words that the schema allows at a path, where it lists them.

    What <metadata> holds is the business of whoever wrote it, and left out.
    A path without "@" is there only when the element has text or can be empty: what merely holds others says nothing.
    A backing store may hold another one without end: a path goes round such a circle once.
    """

    def __init__(self, folder: Path = SCHEMAS) -> None:
        self.paths: set[str] = set()
        self.values: dict[str, set[str]] = {}
        self._folder = folder
        self._defines: dict[str, list[etree._Element]] = {}
        self._open: list[tuple[etree._Element, str]] = []
        self._roots = [self._load("domain.rng")]
        for define in self._defines["domain"]:
            self._contents(define, "")
        self.paths = {path for path in self.paths if not path.startswith("metadata/")}

    def _load(self, file: str) -> etree._Element:
        root = etree.parse(self._folder / file).getroot()
        for define in root.iter(f"{_RNG}define"):
            self._defines.setdefault(str(define.get("name")), []).append(define)
        for include in root.iter(f"{_RNG}include"):
            self._load(str(include.get("href")))
        return root

    def _contents(self, node: etree._Element, path: str) -> tuple[bool, bool]:
        """Record what may stand inside; returns whether there can be text, and whether anything else."""
        text = parts = False
        for item in node:
            if not isinstance(item.tag, str):
                continue
            kind = item.tag.removeprefix(_RNG)
            if kind == "element":
                parts = True
                for name in _names(item):
                    self._element(item, f"{path}/{name}".removeprefix("/domain").removeprefix("/"))
            elif kind == "attribute":
                parts = True
                self.paths.update(f"{path}@{name}" for name in _names(item))
                for name in _names(item):
                    self._words(item, f"{path}@{name}", [])
            elif kind in ("text", "data", "value", "list"):
                text = True
                if kind == "value":
                    self.values.setdefault(path, set()).add((item.text or "").strip())
            elif kind != "name":
                inside = [item] if kind != "ref" else self._defines[str(item.get("name"))]
                for part in inside:
                    if (part, path) not in self._open:
                        self._open.append((part, path))
                        more_text, more_parts = self._contents(part, path)
                        self._open.pop()
                        text, parts = text or more_text, parts or more_parts
        return text, parts

    def _words(self, node: etree._Element, path: str, above: list[etree._Element]) -> None:
        for item in node.iter(f"{_RNG}value"):
            self.values.setdefault(path, set()).add((item.text or "").strip())
        for item in node.iter(f"{_RNG}ref"):
            for define in self._defines[str(item.get("name"))]:
                if define not in above:
                    self._words(define, path, [*above, define])

    def _element(self, item: etree._Element, path: str) -> None:
        if any(item is part for part, _ in self._open):
            return
        self._open.append((item, path))
        text, parts = self._contents(item, path)
        self._open.pop()
        if path and (text or not parts):
            self.paths.add(path)


def _names(item: etree._Element) -> list[str]:
    """The names an element or attribute may have, with libvirt's prefix for its extensions; "*" for any name."""
    name = item.get("name")
    if name is None:
        names = [str(node.text) for node in item.iterfind(f"{_RNG}name")]
        return names or [str(node.text) for node in item.iterfind(f"{_RNG}choice/{_RNG}name")] or ["*"]
    space = next((node.get("ns") for node in (item, *item.iterancestors()) if node.get("ns")), None)
    extension = re.search(r"/domain/(\w+)/1\.0$", space or "") if item.tag == f"{_RNG}element" else None
    return [f"{extension[1]}:{name}" if extension else name]
