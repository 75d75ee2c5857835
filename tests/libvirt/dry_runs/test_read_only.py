"""A dry run over a connection that may only read says what would be; what libvirt does not tell there is unknown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.platform import Platform
from holdfast.errors.hosts import HOST_CANNOT, NO_MACHINE_TYPE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.connect import connect
from holdfast.operations.host.capabilities import host_capabilities
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, has_open_firmware
from tests.libvirt.dry_runs.stories import STORIES, as_it_stands, medium
from tests.raising import raising

ASKING = {
    "create_domain",
    "create_domain_from_document",
    "clone_domain",
    "import_domain",
    "evacuate",
    "attach_device",
    "attach_disk",
    "attach_interface",
    "detach_device",
    "swap_disk",
    "move_disk",
    "insert_medium",
    "eject_medium",
    "set_domain",
    "set_disk",
    "set_interface",
    "edit_domain",
    "rollback_domain",
    "restore_deleted",
    "seal_domain",
    "unseal_cpu",
    "upgrade_cpu",
    "upgrade_machine",
    "upgrade_firmware",
    "take_back_firmware",
    "upgrade_certificates",
    "take_back_certificates",
    "rescue",
}
"""The operations whose dry run asks libvirt; so does that of a revert to other hardware."""

LIBVIRTS_WORD = {
    "CpuChange": {"changes"},
    "Created": {"cpu", "document", "devices", "changes", "brought", "free_places"},
    "Attached": {"device", "address", "brought"},
}
"""What libvirt chooses or adds, and nobody knows who has not asked it."""


@pytest.mark.parametrize("name", STORIES)
def test_over_a_read_only_connection_a_dry_run_says_what_would_be_without_libvirts_word(
    connection: Connection, uri: str, tmp_path: Path, name: str
) -> None:
    prepare, told = STORIES[name]
    prepare(connection, tmp_path)
    before = as_it_stands(connection)
    asked = told(connection, tmp_path)(dry_run=True)
    with connect(uri, readonly=True) as readonly:
        foreseen = told(readonly, tmp_path)(dry_run=True)
    assert as_it_stands(connection) == before
    differing = {
        field.name for field in dataclasses.fields(asked) if getattr(asked, field.name) != getattr(foreseen, field.name)
    }
    assert differing - LIBVIRTS_WORD.get(type(asked).__name__, set()) <= {"asked_of_libvirt", "notes"}, differing
    is_asked = name.split()[0] in ASKING
    assert (asked.asked_of_libvirt, foreseen.asked_of_libvirt) == ((True, False) if is_asked else (None, None))
    if is_asked:
        assert "not asked of libvirt: the connection may only read" in foreseen.notes


@pytest.mark.parametrize(
    "platform",
    [Platform(), Platform(machine="q35"), Platform(machine="pc", virt_type="qemu"), Platform(machine="pc-q35-7.1")],
)
def test_what_everybody_is_told_of_a_platform_is_what_libvirt_chooses(
    connection: Connection, uri: str, platform: Platform
) -> None:
    whole, told = (host_capabilities(each, platform) for each in (connection, connect(uri, readonly=True)))
    assert (whole.is_complete, told.is_complete) == (True, False)
    for field in ("virt_type", "machine", "arch", "emulator", "max_vcpus"):
        assert getattr(whole, field) == getattr(told, field)


def test_a_platform_that_the_host_does_not_have_is_refused_over_every_connection(
    connection: Connection, uri: str
) -> None:
    for each in (connection, connect(uri, readonly=True)):
        with raising(NO_MACHINE_TYPE, machine="pc-q35-0.1"):
            host_capabilities(each, Platform(machine="pc-q35-0.1"))
        with raising(HOST_CANNOT):
            host_capabilities(each, Platform(arch="sparc"))


HOST_MODEL = "<cpu mode='host-model'/>"
BY_LIBVIRT = ("<os>", "<os firmware='efi'>")
NO_EMULATOR = ("<devices>", "<devices><emulator>{folder}/qemu-of-old</emulator>")
PASSWORD = "<graphics type='vnc' passwd='pssst'/>"


@pytest.mark.parametrize(
    ("change", "command", "said"),
    [
        (("<devices>", f"{HOST_MODEL}<devices>"), "seal a", "which CPU host-model becomes is not known"),
        (BY_LIBVIRT, "seal a", "would seal: the firmware files"),
        (BY_LIBVIRT, "rescue a --image {folder}/medium.img --device cdrom", "would boot from"),
        (NO_EMULATOR, "repair a", "use the emulator /usr/bin/qemu-system-x86_64"),
        (("</devices>", f"{PASSWORD}</devices>"), "set a --title t", "not asked of libvirt"),
        (("</devices>", f"{PASSWORD}</devices>"), "clone a b", "not asked of libvirt"),
        (("", ""), "start a", "would start from its config document"),
        (("", ""), "upgrade machine a pc-q35-7.1 --lower", "pc-q35-7.1"),
        (("", ""), "create b --memory 64MiB --cpu EPYC --tpm --firmware uefi", "devices this host can provide"),
        (("", ""), "create b --memory 64MiB --os windows", "which CPU host-model becomes is not known"),
    ],
)
def test_what_libvirt_does_not_tell_those_who_may_only_read_stops_no_dry_run(
    connection: Connection, uri: str, tmp_path: Path, change: tuple[str, str], command: str, said: str
) -> None:
    medium(tmp_path)
    old, new = change
    emulator = tmp_path / "qemu-of-old"
    emulator.symlink_to("/usr/bin/qemu-system-x86_64")
    text = domain_xml(extra=disk_xml(tmp_path, "one", "vda"))
    connection.define(text.replace(old, new.format(folder=tmp_path), 1))
    emulator.unlink()
    before = as_it_stands(connection)
    result = run(uri, "-r", *command.format(folder=tmp_path).split(), "--dry-run")
    assert (result.exit_code, "pssst" in result.output) == (0, False), result.output
    if change == BY_LIBVIRT and not has_open_firmware(parse(connection.find_domain("a").xml(CONFIG))):
        said = said.replace("would seal: the firmware files", "would seal: ")  # libvirt 9.2 settles them itself
    assert said in result.output
    assert as_it_stands(connection) == before


def test_an_edit_over_a_read_only_connection_can_be_looked_at(
    connection: Connection, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.define(domain_xml(extra=PASSWORD))
    monkeypatch.setenv("VISUAL", "sed -i '/<uuid>/!s/64/128/'")
    before = as_it_stands(connection)
    assert "not asked of libvirt" in done(uri, "-r", "edit", "a", "--dry-run")
    refused = run(uri, "-r", "edit", "a")
    assert (refused.exit_code, "read-only" in refused.stderr) == (1, True)
    assert as_it_stands(connection) == before
