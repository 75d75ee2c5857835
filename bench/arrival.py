"""A domain that arrives from an archive, beside the copy of its image."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec

SIZE = 1 << 30
_PIECE = 1 << 20


def arrival_cases(ours: Connection, bare: libvirt.virConnect, images: Path) -> Iterator[Case]:
    """The import of a domain with an image of 1 GiB that has no holes."""
    with tempfile.TemporaryDirectory(dir=images) as name:
        folder = Path(name)
        image, archive, copied = folder / "image.raw", folder / "arriving.tar", folder / "copied.raw"
        disk = DiskSpec(path=str(image), size=SIZE, format="raw")
        operations.create_domain(ours, "arriving", DomainSpec(memory=64 << 20, graphics="none", disks=(disk,)))
        with image.open("r+b") as file:
            for _ in range(SIZE // _PIECE):
                file.write(os.urandom(_PIECE))
        operations.export_domain(ours, "arriving", str(archive), all_disks=True)
        bare.lookupByName("arriving").undefine()
        here = folder / "here"
        here.mkdir()

        def copy() -> None:
            subprocess.run(["cp", "--reflink=never", str(image), str(copied)], check=True)

        def arrive() -> None:
            operations.import_domain(ours, str(archive), folder=str(here))

        def leave() -> None:
            for each in (copied, here / image.name):
                each.unlink(missing_ok=True)
            for domain in bare.listAllDomains(0):
                if domain.name() == "arriving":
                    domain.undefine()

        yield Case("import of 1 GiB", copy, arrive, aim=1.1, before=leave, after=leave)
