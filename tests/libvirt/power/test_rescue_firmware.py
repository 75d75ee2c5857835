"""Rescue of guests with UEFI and a TPM: the variables are copied for the rescue, the TPM's state is the guest's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.errors.images import CANNOT_REMOVE
from holdfast.hostfiles.images.chain import remove_image_file
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, image

TEMPLATE = "/usr/share/OVMF/OVMF_VARS_4M.fd"
both = pytest.mark.parametrize("left_open", [False, True])


def defined(connection: Connection, left_open: bool = False, tpm: bool = False) -> tuple[Domain, Path]:
    """A UEFI domain that was never started, and where its variables will be.

    ``left_open``: libvirt chooses the firmware at each start, as for domains of virt-install; config names no file.
    """
    if left_open:
        domain = connection.define(domain_xml().replace("<os>", "<os firmware='efi'>"))
        domain.start(paused=True)
        own = parse(domain.xml(LIVE)).findtext("os/nvram") or ""
        domain.destroy()
        remove_image_file(own)
    else:
        spec = DomainSpec(memory=64 << 20, firmware="uefi", tpm=tpm, graphics="none")
        own = operations.create_domain(connection, "a", spec).nvram or ""
        domain = connection.find_domain("a")
    return domain, Path(own)


def medium(folder: Path) -> DiskSpec:
    """A rescue image."""
    return DiskSpec(path=str(image(folder, "r")), format="raw")


@both
def test_rescue_has_a_copy_of_the_variables_that_is_gone_at_once(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_open: bool
) -> None:
    domain, own = defined(connection, left_open)
    content = Path(TEMPLATE).read_bytes()[:-8] + b"the own "
    own.write_bytes(content)
    Path(f"{own}.rescue").write_text("left by a rescue that could not remove it")
    seen = []

    def look(path: str) -> None:
        seen.append(Path(path).read_bytes())
        remove_image_file(path)

    before = domain.xml(CONFIG)
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.operations.power.rescue_nvram.remove_image_file", look)
        operations.rescue(connection, "a", medium(tmp_path))
    assert seen == [content]
    assert parse(domain.xml(LIVE)).findtext("os/nvram") == f"{own}.rescue"
    assert list(own.parent.glob(f"{own.name}*")) == [own]
    assert operations.show_domain(connection, "a").changes == ()
    operations.unrescue(connection, "a")
    assert list(own.parent.glob(f"{own.name}*")) == [own]
    assert (own.read_bytes(), domain.xml(CONFIG)) == (content, before)
    own.unlink()  # libvirt 9.0 removes with a domain only the file that its config names


@both
def test_guest_that_was_never_started_gets_no_variables_by_a_rescue(
    connection: Connection, tmp_path: Path, left_open: bool
) -> None:
    domain, own = defined(connection, left_open)
    operations.rescue(connection, "a", medium(tmp_path))
    assert parse(domain.xml(LIVE)).findtext("os/nvram") == f"{own}.rescue"
    operations.unrescue(connection, "a")
    assert list(own.parent.glob(f"{own.name}*")) == []


def test_copy_that_cannot_be_removed_is_said(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, own = defined(connection)

    def forbidden(path: str) -> None:
        raise CANNOT_REMOVE(path=path, reason="permission denied") from PermissionError()

    monkeypatch.setattr("holdfast.operations.power.rescue_nvram.remove_image_file", forbidden)
    options = ["--image", str(image(tmp_path, "r")), "--format", "raw"]
    out = done(uri, "rescue", "a", *options)
    assert out.endswith(f"note: the copy of its NVRAM stays on libvirt's host, until the next rescue: {own}.rescue\n")
    operations.unrescue(connection, "a")
    assert operations.rescue(connection, "a", medium(tmp_path)).nvram_left == f"{own}.rescue"
    operations.unrescue(connection, "a")
    remove_image_file(f"{own}.rescue")


def test_variables_that_are_no_file_are_said_not_to_be_copied(connection: Connection, tmp_path: Path) -> None:
    domain, _ = defined(connection)
    block = "<nvram type='block'><source dev='/dev/nosuch'/></nvram></os>"
    document = domain.xml(CONFIG)
    start, end = document.index("<nvram"), document.index("</os>")
    connection.define(document[:start] + block + document[end + len("</os>") :])
    notes = operations.rescue(connection, "a", medium(tmp_path), dry_run=True).notes
    assert notes == ("its NVRAM is not a file, so it is not copied: the rescue writes to it",)


def test_state_of_the_tpm_outlives_the_rescue(connection: Connection, tmp_path: Path) -> None:
    domain, own = defined(connection, tpm=True)
    domain.start(paused=True)
    domain.destroy()
    state = own.parents[2] / "swtpm" / domain.uuid
    kept = sorted(state.rglob("*.permall"))
    assert len(kept) == 1
    operations.rescue(connection, "a", medium(tmp_path))
    operations.unrescue(connection, "a", start=True)
    assert sorted(state.rglob("*.permall")) == kept


def test_rescue_is_not_recorded_as_a_start_of_the_guest(connection: Connection, tmp_path: Path) -> None:
    domain, _ = defined(connection)
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    before = domain.xml(CONFIG)
    assert "<holdfast:started" in before
    operations.rescue(connection, "a", medium(tmp_path))
    operations.destroy(connection, "a")
    assert domain.xml(CONFIG) == before
