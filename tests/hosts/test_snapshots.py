"""Snapshots on Debian 13's libvirt: what this machine's cannot do is done there, and looked at in the same way."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.elements.firmware import nvram_of, set_firmware
from holdfast.domainxml.host.state_files import StateFolders, name_nvram
from holdfast.errors.guard import UNASKED_REVERT_HARDWARE
from holdfast.errors.snapshots import NO_INTERNAL_WITH_RAW_NVRAM
from holdfast.hostfiles.firmware.nvram_file import write_nvram
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.domains import CONFIG, domain_xml, image
from tests.libvirt.images import mark_of, qcow2, qcow2_disk, tags, write
from tests.raising import raising

UEFI = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram {0}</nvram></os>"


def files(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_revert_to_an_external_snapshot_shows_changed_hardware_and_keeps_metadata(
    newer: Connection, tmp_path: Path
) -> None:
    path, later = qcow2(tmp_path, "root", 1), qcow2(tmp_path, "later", 9)
    domain = newer.define(domain_xml(extra=qcow2_disk(path)))
    created = operations.create_snapshot(newer, "a", "one", external=True)
    assert created.notes == ()
    write(tmp_path / "a-vda.one.qcow2", 2)
    operations.attach_device(newer, "a", qcow2_disk(later, "vdb"))
    domain._handle.setMetadata(1, "today", None, None, 2)
    (info,) = operations.list_snapshots(newer, "a")
    assert info.impossible is None
    with raising(UNASKED_REVERT_HARDWARE, changes=re.compile("disk vdb is removed, it was at .+")):
        operations.revert_to_snapshot(newer, "a", "one")
    reverted = operations.revert_to_snapshot(newer, "a", "one", accept=True)
    assert [(disk.target, disk.image) for disk in reverted.detached] == [("vdb", str(later))]
    assert "<title>today</title>" in domain.xml(CONFIG)
    assert "vdb" not in domain.xml(CONFIG)
    operations.delete_snapshot(newer, "a", "one")
    assert (files(tmp_path), mark_of(path)) == (["later.qcow2", "root.qcow2"], 1)


def test_running_guest_goes_back_to_an_external_snapshot_with_memory(newer: Connection, tmp_path: Path) -> None:
    domain = newer.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root"))))
    domain.start()
    operations.create_snapshot(newer, "a", "one", external=True)
    reverted = operations.revert_to_snapshot(newer, "a", "one")
    assert (reverted.after, reverted.changes, reverted.detached) == ("running", (), ())
    operations.delete_snapshot(newer, "a", "one")
    assert files(tmp_path) == ["root.qcow2"]


def test_snapshot_and_restore_of_a_running_guest_raise_no_false_alarm(newer: Connection, tmp_path: Path) -> None:
    text = domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root")))
    domain = newer.define(text.replace("</features>", "</features><cpu mode='host-model'/>"))
    domain.start(paused=True)
    operations.create_snapshot(newer, "a", "one")
    assert operations.list_snapshots(newer, "a")[0].changes == ()
    assert operations.revert_to_snapshot(newer, "a", "one").changes == ()
    operations.save_domain(newer, "a")
    assert operations.restore_domain(newer, "a").waits == ()


def test_uefi_guest_has_internal_snapshots_and_its_variables_are_in_them_where_they_are_qcow2(
    newer: Connection, tmp_path: Path
) -> None:
    raw, variables = tmp_path / "raw.fd", tmp_path / "variables.qcow2"
    template = "/usr/share/OVMF/OVMF_VARS_4M.fd"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", template, variables], check=True)
    for name, nvram in (("a", f"template='{template}'>{raw}"), ("b", f"format='qcow2'>{variables}")):
        disk = qcow2_disk(qcow2(tmp_path, name))
        newer.define(domain_xml(name, extra=disk).replace("</os>", UEFI.format(nvram)))
    assert f"({raw}) are not part of it" in operations.create_snapshot(newer, "a", "off").notes[0]
    operations.start(newer, "a")
    with raising(NO_INTERNAL_WITH_RAW_NVRAM, name="a"):
        operations.create_snapshot(newer, "a", "on")
    operations.start(newer, "b")
    assert operations.create_snapshot(newer, "b", "on").notes == ()
    assert operations.revert_to_snapshot(newer, "b", "on").changes == ()
    assert tags(variables) == ["on"]


def test_a_firmware_whose_template_is_qcow2_gives_an_nvram_that_can_be_in_an_internal_snapshot(
    newer: Connection, tmp_path: Path
) -> None:
    template, path = tmp_path / "template.qcow2", qcow2(tmp_path, "root")
    write_nvram(str(template), Path("/usr/share/OVMF/OVMF_VARS_4M.fd").read_bytes(), "qcow2", "/dev/null")
    document = parse(domain_xml(extra=qcow2_disk(path)))
    code = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    set_firmware(document, loader=code, template=str(template), smm=False, template_format="qcow2")
    name_nvram(document, StateFolders(str(tmp_path), ""))
    domain = newer.define(serialize(document))
    operations.start(newer, "a")
    nvram = Path(nvram_of(parse(domain.xml(CONFIG))) or "")
    assert nvram.suffix == ".qcow2"
    assert operations.create_snapshot(newer, "a", "s").notes == ()
    assert operations.revert_to_snapshot(newer, "a", "s").changes == ()
    assert tags(nvram) == ["s"]
    medium = operations.DiskSpec(path=str(image(tmp_path, "medium")), format="raw")
    operations.rescue(newer, "a", medium, force=True)
    operations.unrescue(newer, "a")
