"""A story for every operation that has a dry run: what is there before, and what is done."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.fact import BeingMoved
from holdfast.history.claims import Claims
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import (
    DiskSettings,
    DiskSpec,
    DomainSettings,
    DomainSpec,
    InterfaceSettings,
    InterfaceSpec,
    Place,
    Result,
)
from holdfast.operations.facts import record_fact
from holdfast.operations.history_place import history_place
from holdfast.operations.session import looking
from holdfast_lab.patience import PATIENCE
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.moments import once_it_waits
from tests.libvirt.past.two_histories import new_remote

MIB = 1024 * 1024
MAC = "52:54:00:00:00:01"
DEVICES = f"""<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>
  <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{{cd}}'/><target dev='sda' bus='sata'/>
    <readonly/></disk>"""

CPU = "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>"


def off(connection: Connection, folder: Path) -> None:
    """The domain "a" has a qcow2 image, a CD and an interface."""
    devices = qcow2_disk(qcow2(folder, "root"), "vda") + DEVICES.format(cd=image(folder, "cd"))
    connection.define(domain_xml(extra=devices))


def runs(connection: Connection, folder: Path) -> None:
    off(connection, folder)
    operations.start(connection, "a")


def paused(connection: Connection, folder: Path) -> None:
    off(connection, folder)
    operations.start(connection, "a", paused=True)


def transient(connection: Connection, folder: Path) -> None:
    runs(connection, folder)
    connection.find_domain("a").undefine()


def saved(connection: Connection, folder: Path) -> None:
    runs(connection, folder)
    operations.save_domain(connection, "a")


def saved_paused(connection: Connection, folder: Path) -> None:
    paused(connection, folder)
    operations.save_domain(connection, "a")


def rescued(connection: Connection, folder: Path) -> None:
    runs(connection, folder)
    operations.rescue(connection, "a", medium(folder), force=True)


def off_and_rescued(connection: Connection, folder: Path) -> None:
    off(connection, folder)
    operations.rescue(connection, "a", medium(folder))


def adopted(connection: Connection, folder: Path) -> None:
    off(connection, folder)
    operations.adopt_domain(connection, "a")


def wanted_running(connection: Connection, folder: Path) -> None:
    off(connection, folder)
    operations.set_domain(connection, "a", DomainSettings(autostart=True))


def arrived(connection: Connection, folder: Path) -> None:
    """It came from a host that is lost, in the middle of its move."""
    off(connection, folder)
    record_fact(looking(connection, "a"), BeingMoved("2026-01-01T00:00:00+00:00", "hv9", "its UUID"))


def snapshot_of(state: Callable[[Connection, Path], None], now: str) -> Callable[[Connection, Path], None]:
    """The snapshot "s" was made in that state; ``now`` the domain is "shut off", or "running"."""

    def prepare(connection: Connection, folder: Path) -> None:
        state(connection, folder)
        operations.create_snapshot(connection, "a", "s")
        if now == "running" and state is off:
            operations.start(connection, "a")
        elif now == "shut off" and state is not off:
            operations.destroy(connection, "a")

    return prepare


def copied_elsewhere(connection: Connection, folder: Path) -> None:
    """Somebody has begun to copy its disk."""
    runs(connection, folder)
    copy = f"<disk type='file'><source file='{folder}/copy.qcow2'/><driver type='qcow2'/></disk>"
    connection.find_domain("a")._handle.blockCopy("vda", copy, None, 4)  # VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB


def old_firmware(folder: Path) -> str:
    """Firmware of 2 MB, and an NVRAM with boot entries and the keys of Secure Boot."""
    if not Path("/usr/share/OVMF/OVMF_CODE.fd").exists():
        pytest.skip("this system has no OVMF of 2 MB to move from")
    shutil.copy("/usr/share/OVMF/OVMF_VARS.ms.fd", folder / "a_VARS.fd")
    loader = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>"
    nvram = f"<nvram template='/usr/share/OVMF/OVMF_VARS.fd'>{folder}/a_VARS.fd</nvram>"
    return loader + nvram


def with_old_firmware(connection: Connection, folder: Path) -> None:
    connection.define(domain_xml().replace("</os>", f"{old_firmware(folder)}</os>"))


def with_new_firmware(connection: Connection, folder: Path) -> None:
    with_old_firmware(connection, folder)
    operations.upgrade_firmware(connection, "a")


def with_new_certificates(connection: Connection, folder: Path) -> None:
    with_old_firmware(connection, folder)
    operations.upgrade_certificates(connection, "a")


def with_lost_nvram(connection: Connection, folder: Path) -> None:
    """There is a copy of it."""
    with_old_firmware(connection, folder)
    assert connection.history_settings_file is not None
    settings, kept = Path(connection.history_settings_file), folder / "kept"
    kept.mkdir(mode=0o700)
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f'state = "{kept}"')
    operations.copy_state(connection)
    Path(nvram_of(parse(connection.find_domain("a").xml(CONFIG))) or "").unlink()


def nothing(connection: Connection, folder: Path) -> None:
    """There is no domain."""


def medium(folder: Path) -> DiskSpec:
    return DiskSpec(path=str(image(folder, "medium")), format="raw")


def settled(connection: Connection, folder: Path) -> str:
    return connection.find_domain("a").xml(CONFIG)


def shutdown(connection: Connection, *, dry_run: bool) -> Result:
    """A guest that answers the power button."""
    if dry_run:
        return operations.shutdown(connection, "a", dry_run=True)
    with once_it_waits(lambda: connection.find_domain("a").destroy()):
        return operations.shutdown(connection, "a", timeout=PATIENCE)


Prepare = Callable[[Connection, Path], None]
Act = Callable[..., Result]
STORIES: dict[str, tuple[Prepare, Callable[[Connection, Path], Act]]] = {}
"""Operation, and what is special → what is there before, and what is done."""


def story(name: str, prepare: Prepare, given: Callable[[Path], dict[str, object]] = lambda _folder: {}) -> None:
    """Add an operation on the domain "a", with what is ``given``; further words of ``name`` tell one from another."""

    def act(connection: Connection, folder: Path) -> Act:
        operation, arguments = getattr(operations, name.split()[0]), {"name": "a", **given(folder)}
        if "name" not in inspect.signature(operation).parameters:
            del arguments["name"]
        return lambda dry_run: operation(connection, **arguments, dry_run=dry_run)

    STORIES[name] = prepare, act


story("start", off)
story("start paused", off, lambda _: {"paused": True})
story("start arrived", arrived, lambda _: {"arrived": True})
story("start saved", saved)
story("start saved_paused", saved_paused)
story("restore_domain", saved)
story("restore_domain paused", saved, lambda _: {"paused": True})
STORIES["shutdown"] = runs, lambda connection, _folder: lambda dry_run: shutdown(connection, dry_run=dry_run)
STORIES["shutdown transient"] = transient, STORIES["shutdown"][1]
story("destroy", paused)
story("destroy transient", transient)
story("destroy rescued", rescued)
for each in ("reboot", "reset", "suspend", "save_domain"):
    story(each, runs)
story("reboot hard", runs, lambda _: {"hard": True})
story("reboot hard paused", paused, lambda _: {"hard": True})
story("reset paused", paused)
story("resume", paused)
story("discard_save", saved)
story("rescue", off, lambda folder: {"medium": medium(folder)})
story("rescue running", runs, lambda folder: {"medium": medium(folder), "force": True})
story("unrescue", rescued)
story("unrescue off", off_and_rescued)
story("unrescue started", off_and_rescued, lambda _: {"start": True})
story("repair_domain", off)
story("repair_domain running", runs)
story("repair_domain left_off", off, lambda _: {"start": False})
STORIES["resume_host"] = (
    wanted_running,
    lambda connection, _folder: lambda dry_run: operations.resume_host(connection, dry_run=dry_run)[0],
)
story("create_snapshot", runs, lambda _: {"snapshot": "s"})
story("create_snapshot off", off, lambda _: {"snapshot": "s"})
story("create_snapshot external", runs, lambda _: {"snapshot": "s", "external": True, "memory": False})
story("delete_snapshot", snapshot_of(off, "shut off"), lambda _: {"snapshot": "s"})
for then in (off, runs, paused):
    for state in ("shut off", "running"):
        is_now = f"revert_to_snapshot {then.__name__} now {state}"
        story(is_now, snapshot_of(then, state), lambda _: {"snapshot": "s", "accept": True})
story("revert_to_snapshot disks", snapshot_of(off, "shut off"), lambda _: {"snapshot": "s", "disks_only": True})
story("delete_domain", off)
story("delete_domain storage", adopted, lambda _: {"storage": True})
story("delete_domain running", runs, lambda _: {"force": True})
story("rename_domain", off, lambda _: {"new_name": "b"})
story("upgrade_machine", runs, lambda _: {"machine": "pc-q35-7.1", "lower": True})
story("upgrade_firmware", with_old_firmware)
story("take_back_firmware", with_new_firmware)
story("upgrade_certificates", with_old_firmware)
story("restore_state", with_lost_nvram)
story("take_back_certificates", with_new_certificates)
story("adopt_domain", off)
story("release_domain", adopted)
story("seal_domain", runs, lambda _: {"add_serials": True, "add_ports": 9})
story("unseal_cpu", runs)
story("upgrade_cpu", runs, lambda _: {"features": {"aes": False}})
story("clone_domain", off, lambda _: {"new_name": "b"})
story("clone_domain started", off, lambda _: {"new_name": "b", "start": True})


def spec(folder: Path) -> dict[str, object]:
    disk = DiskSpec(path=str(folder / "new.qcow2"), size=MIB)
    return {"spec": DomainSpec(memory=64 * MIB, vcpus=1, disks=(disk,), graphics="none")}


story("create_domain", nothing, spec)
story("create_domain started", nothing, lambda folder: {**spec(folder), "start": True})
story(
    "create_domain_from_document",
    nothing,
    lambda folder: {
        "document": domain_xml(extra=disk_xml(folder, "one", "vda")).replace("<devices>", f"{CPU}<devices>"),
        "start": True,
    },
)
story("export_domain", off, lambda folder: {"archive": str(folder / "a.tar"), "all_disks": True})


def printed(connection: Connection, folder: Path) -> None:
    """The document of a domain that is gone."""
    off(connection, folder)
    (folder / "a.xml").write_text(connection.find_domain("a").xml(CONFIG))
    connection.find_domain("a").undefine()


story("import_domain", printed, lambda folder: {"path": str(folder / "a.xml"), "accept_host": True, "start": True})
story("attach_device", runs, lambda folder: {"device": disk_xml(folder, "more", bus="scsi")})
story("attach_disk", runs, lambda folder: {"disk": DiskSpec(path=str(folder / "new.qcow2"), size=MIB)})
story("attach_interface", off, lambda _: {"interface": InterfaceSpec(kind="user")})
story("detach_device", off, lambda _: {"device": MAC})
story("extend_disk", runs, lambda _: {"target": "vda", "size": 2 * MIB})
story("extend_disk off", off, lambda _: {"target": "vda", "size": 2 * MIB})
story("eject_medium", off, lambda _: {"target": "sda"})
story("insert_medium", off, lambda folder: {"target": "sda", "medium": medium(folder)})
for prepare in (off, runs):
    story(
        f"move_disk {prepare.__name__}",
        prepare,
        lambda folder: {
            "target": "vda",
            "place": Place(path=str(folder / "moved.qcow2")),
            "delete_source": True,
        },
    )
story("abort_move", copied_elsewhere, lambda _: {"target": "vda"})
story(
    "swap_disk",
    off,
    lambda folder: {"target": "vda", "image": DiskSpec(path=str(qcow2(folder, "other")), format="qcow2")},
)
story("set_domain", paused, lambda _: {"settings": DomainSettings(title="t", max_vcpus=2)})
story("set_disk", paused, lambda _: {"disk": "vda", "settings": DiskSettings(read_iops_sec=500)})
story("set_interface", off, lambda _: {"interface": MAC, "settings": InterfaceSettings(link="down")})


def with_history(connection: Connection) -> None:
    """Begin a history, which :mod:`.conftest` removes."""
    assert connection.history_folder is not None
    Path(connection.history_folder).mkdir(parents=True)


def changed_since(connection: Connection, folder: Path) -> None:
    with_history(connection)
    off(connection, folder)
    operations.detach_device(connection, "a", MAC)


def deleted(connection: Connection, folder: Path) -> None:
    changed_since(connection, folder)
    operations.delete_domain(connection, "a")


def rolled_back(connection: Connection, dry_run: bool) -> Result:
    first = operations.log_domain(connection, "a")[-1]
    return operations.rollback_domain(connection, "a", first.short_id, accept=True, dry_run=dry_run)


STORIES["rollback_domain"] = (
    changed_since,
    lambda connection, _folder: lambda dry_run: rolled_back(connection, dry_run),
)
story("restore_deleted", deleted)


def on_a_host_that_is_down(connection: Connection, folder: Path) -> None:
    """Another host has it by the remote, and only the history has it here."""
    with_history(connection)
    off(connection, folder)
    remote = new_remote(folder / "remote.git")
    operations.record_host(connection)
    operations.push_history(connection, str(remote))
    domain = connection.find_domain("a")
    assert not Claims(str(remote)).move([domain.uuid], history_place(connection).host, "hv9", "root")
    domain.undefine()


def evacuated(connection: Connection, folder: Path, dry_run: bool) -> Result:
    (each,) = operations.evacuate(
        connection,
        ["a"],
        remote=str(folder / "remote.git"),
        source_is_down="hv9",
        accept_host=True,
        start=True,
        dry_run=dry_run,
    )
    return each


STORIES["evacuate"] = (
    on_a_host_that_is_down,
    lambda connection, folder: lambda dry_run: evacuated(connection, folder, dry_run),
)
STORIES["forget_history"] = (
    deleted,
    lambda connection, _folder: lambda dry_run: operations.forget_history(connection, "a", dry_run=dry_run)[0],
)


def edited(connection: Connection, dry_run: bool) -> Result:
    now = settled(connection, Path())
    then = now.replace("</uuid>", "</uuid>\n  <title>t</title>")
    return operations.edit_domain(connection, "a", now, then, dry_run=dry_run)


def followed(connection: Connection, dry_run: bool) -> Result:
    wanted = settled(connection, Path()).replace("</uuid>", "</uuid>\n  <title>t</title>")
    return operations.follow_document(connection, "a", wanted, is_own=lambda _device: False, dry_run=dry_run)


STORIES["edit_domain"] = off, lambda connection, _folder: lambda dry_run: edited(connection, dry_run)
STORIES["follow_document"] = paused, lambda connection, _folder: lambda dry_run: followed(connection, dry_run)


def as_it_stands(connection: Connection) -> list[tuple[str, str, str]]:
    """Of each domain its state and its documents; that a copy of a disk is ready by now is no change."""
    return [
        (
            domain.state(),
            domain.xml(LIVE).replace(" ready='yes'", ""),
            domain.xml(CONFIG) if domain.is_persistent() else "",
        )
        for domain in connection.domains()
    ]
