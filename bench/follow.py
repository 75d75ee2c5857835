"""Following a manager's document, beside what a manager does without it: one define of that document."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection

CONFIG = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
OURS, BARE = "domain-00000", "domain-00001"


def follow_cases(ours: Connection, bare: libvirt.virConnect) -> Iterator[Case]:
    """On two domains: the CPU share goes to another value and back."""
    shares = [itertools.cycle((500, 600)) for _ in range(2)]
    texts = {name: bare.lookupByName(name).XMLDesc(CONFIG) for name in (OURS, BARE)}

    def bare_define() -> None:
        bare.defineXMLFlags(_with_shares(texts[BARE], next(shares[0])), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def follow() -> None:
        wanted = _with_shares(texts[OURS], next(shares[1]))
        operations.follow_document(ours, OURS, wanted, is_own=lambda device: False)

    yield Case("follow", bare_define, follow)


def _with_shares(text: str, shares: int) -> str:
    return text.replace("<os>", f"<cputune><shares>{shares}</shares></cputune><os>", 1)
