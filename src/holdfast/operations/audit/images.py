"""Findings about disk images: those that two domains have, and raw ones that begin like another format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

from holdfast.errors import HoldfastError
from holdfast.hostfiles.images.image import disguised_format, file_identity
from holdfast.operations.audit.judge import ImageUse
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.text import plural

_OTHERS = 3
"""So many other domains with the same image are named."""


class ImageFindings:
    """The images of one host, as its domains come by. ``is_local`` is whether their files can be read from here."""

    def __init__(self, is_local: bool) -> None:
        self._is_local = is_local
        self._users: dict[str, list[tuple[str, ImageUse]]] = {}
        self._unread = 0
        self._reason = ""

    def add(self, domain: str, uses: Iterable[ImageUse]) -> None:
        """Remember who has which image; ``domain`` is a name."""
        for use in uses:
            is_here = self._is_local and use.source.startswith("/")
            self._users.setdefault(file_identity(use.source) if is_here else use.source, []).append((domain, use))

    def shared(self) -> Iterator[tuple[str, Finding]]:
        """Domain and finding, for every image that two domains have and one of them writes."""
        for users in self._users.values():
            names = sorted({domain for domain, _ in users})
            if len(names) < 2 or not any(use.writes for _, use in users):
                continue
            for name in names:
                use = max((use for domain, use in users if domain == name), key=attrgetter("writes"))
                others = [other for other in names if other != name]
                more = f" and {len(others) - _OTHERS} more" if len(others) > _OTHERS else ""
                what = f"disk {use.disk} {'writes' if use.writes else 'reads'} {use.source}"
                sentence = f"{what}, which is also an image of {', '.join(others[:_OTHERS])}{more}"
                yield name, Finding(FindingKind.SHARED_IMAGE, sentence)

    def disguised(self, uses: Iterable[ImageUse]) -> Iterator[Finding]:
        """Raw images that begin like another format; only the first bytes are read, and only on this machine."""
        for use in uses if self._is_local else ():
            if use.path is None or use.format != "raw" or not use.writes:
                continue
            try:
                found = disguised_format(use.path)
            except HoldfastError as error:
                self._unread += 1
                self._reason = self._reason or error.message
                continue
            if found is not None:
                yield Finding(
                    FindingKind.DISGUISED_IMAGE,
                    f"disk {use.disk} is declared raw, but {use.path} looks like a {found} image: where QEMU "
                    "is left to guess its format, it opens the files that the header names",
                )

    def notes(self) -> Iterator[str]:
        """What was not looked at."""
        if not self._is_local:
            yield "image headers were not read: they can be read on their own host only"
        if self._unread:
            images = f"{self._unread} raw {plural(self._unread, 'image')}"
            yield f"{images} could not be read, so what they begin with is unknown: {self._reason}, …"
