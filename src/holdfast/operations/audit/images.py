"""Findings about disk images: those that two domains have, and raw ones that begin like another format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.errors import HoldfastError
from holdfast.hostfiles.image import disguise
from holdfast.operations.audit.judge import ImageUse
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.text import plural

_OTHERS = 3
"""So many other domains with the same image are named."""


class Images:
    """The images of one host, as its domains come by. ``is_local`` is whether their files can be read from here."""

    def __init__(self, is_local: bool) -> None:
        self._is_local = is_local
        self._users: dict[str, list[tuple[str, str, bool]]] = {}
        self._unread = 0
        self._reason = ""

    def add(self, domain: str, uses: Iterable[ImageUse]) -> None:
        """Remember who has which image; ``domain`` is a name."""
        for use in uses:
            self._users.setdefault(use.source, []).append((domain, use.disk, use.writes))

    def shared(self) -> Iterator[tuple[str, Finding]]:
        """Domain and finding, for every image that two domains have and one of them writes."""
        for source, users in self._users.items():
            names = sorted({domain for domain, _, _ in users})
            if len(names) < 2 or not any(writes for _, _, writes in users):
                continue
            for name in names:
                disk, writes = max(((disk, writes) for domain, disk, writes in users if domain == name), key=_writer)
                others = [other for other in names if other != name]
                more = f" and {len(others) - _OTHERS} more" if len(others) > _OTHERS else ""
                does = "writes" if writes else "reads"
                sentence = f"disk {disk} {does} {source}, which is also an image of {', '.join(others[:_OTHERS])}{more}"
                yield name, Finding(FindingKind.SHARED_IMAGE, sentence)

    def disguised(self, uses: Iterable[ImageUse]) -> Iterator[Finding]:
        """Raw images that begin like another format; only the first bytes are read, and only on this machine."""
        for use in uses if self._is_local else ():
            if use.path is None or use.format != "raw" or not use.writes:
                continue
            try:
                found = disguise(use.path)
            except HoldfastError as error:
                self._unread += 1
                self._reason = self._reason or error.message
                continue
            if found is not None:
                yield Finding(
                    FindingKind.DISGUISED_IMAGE,
                    f"disk {use.disk} is declared raw, but {use.path} looks like a {found} image: whoever lets "
                    "QEMU guess its format opens the files that it names",
                )

    def notes(self) -> Iterator[str]:
        """What was not looked at."""
        if not self._is_local:
            yield "image headers were not read: they can be read on their own host only"
        if self._unread:
            images = f"{self._unread} raw {plural(self._unread, 'image')}"
            yield f"{images} could not be read, so what they begin with is unknown: {self._reason}, …"


def _writer(user: tuple[str, bool]) -> bool:
    return user[1]
