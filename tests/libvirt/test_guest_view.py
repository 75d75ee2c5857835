"""An untouched domain: whatever libvirt names only in live, the guest view sees no difference to config."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from holdfast.domainxml.change import visible
from holdfast.domainxml.guest_view import compare
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition

DOMAINS = sorted((Path(__file__).parents[1] / "xml" / "data" / "domains").glob("*.xml"))
IMAGES = ("data.img", "more.img", "stick.img", "cd.iso", "floppy.img", "nvdimm.img", "pmem.img", "kernel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every image that the domains of the corpus name."""
    folder = tmp_path_factory.mktemp("images")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "root.qcow2", "64M"], check=True)
    for name in IMAGES:
        with (folder / name).open("wb") as image:
            image.truncate(1474560 if name == "floppy.img" else 64 * 1024 * 1024)
    return folder


@pytest.mark.parametrize("file", DOMAINS, ids=[file.stem for file in DOMAINS])
def test_untouched_domain_has_no_difference_between_live_and_config(
    connection: Connection, folder: Path, file: Path
) -> None:
    if "<vsock" in file.read_text() and not Path("/dev/vhost-vsock").exists():
        pytest.skip("this kernel has no vhost-vsock")
    domain = connection.define(file.read_text().replace("@FOLDER@", str(folder)))
    domain.start(paused=True)
    live, config = domain.xml(Definition.LIVE), domain.xml(Definition.CONFIG)
    assert [str(change) for change in visible(compare(config, live))] == []
    assert [str(change) for change in visible(compare(live, config))] == []
