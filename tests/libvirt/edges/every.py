"""How every command is called such that it does something and says so. One that is new is called by its arguments."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import click

from holdfast import operations
from holdfast.cli.common import ChangingCommand
from holdfast.history.claims import Claims
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DiskSpec, DomainSettings
from holdfast.operations.history_place import history_place
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, image
from tests.libvirt.dry_runs.stories import old_firmware
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.past.two_histories import new_remote
from tests.rules.test_commands import COMMANDS

OBEYED = "\N{CONTROL SEQUENCE INTRODUCER}31m\N{RIGHT-TO-LEFT OVERRIDE}"
"""A terminal turns red and writes from right to left after this."""

NAME = f"ä{OBEYED}"
"""The domain that each command is about: no ASCII, as many a name in the world, and worse."""

NEW = "\N{RIGHT-TO-LEFT OVERRIDE}"
"""The worst that is taken in a new path or title."""

MAC = "52:54:00:00:00:01"

NOT_CALLED = {
    "console": "it needs a terminal: tests/libvirt/look/test_console.py",
    "demo": "it plays for minutes, in a libvirt of its own",
    "history copy-state": "it needs a place for copies of state: tests/libvirt/past/test_state_copies.py",
    "history restore-state": "it needs a copy of state that is lost: tests/libvirt/past/test_state_copies.py",
    "history states": "it needs a place for copies of state: tests/libvirt/past/test_state_copies.py",
    "history forget": "it changes no domain: tests/libvirt/past/test_forget.py",
    "migrate": "it needs two hosts: tests/libvirt/hosts/test_migrate.py",
    "verify": "it needs an agent in the guest",
}

Prepare = Callable[[Connection, Path], object]


def nothing(_: Connection, _folder: Path) -> None:
    """The domain is shut off, and adopted."""


def runs(connection: Connection, folder: Path) -> None:
    operations.start(connection, NAME)


def paused(connection: Connection, folder: Path) -> None:
    operations.start(connection, NAME, paused=True)


def saved(connection: Connection, folder: Path) -> None:
    paused(connection, folder)
    operations.save_domain(connection, NAME)


def released(connection: Connection, folder: Path) -> None:
    operations.release_domain(connection, NAME)


def with_snapshot(connection: Connection, folder: Path) -> None:
    operations.create_snapshot(connection, NAME, "s")


def wanted(connection: Connection, folder: Path) -> None:
    operations.set_domain(connection, NAME, DomainSettings(autostart=True))


def rescued(connection: Connection, folder: Path) -> None:
    operations.rescue(connection, NAME, DiskSpec(path=str(folder / "other.img"), format="raw"))


def recorded(connection: Connection, folder: Path) -> None:
    operations.record_host(connection)


def with_old_firmware(connection: Connection, folder: Path) -> None:
    document = connection.find_domain(NAME).xml(CONFIG)
    connection.define(document.replace("</os>", f"{old_firmware(folder)}</os>"))


def with_history(connection: Connection, folder: Path) -> None:
    """The domain was started, and has lost its interface since."""
    assert connection.history_folder is not None
    shutil.rmtree(connection.history_folder, ignore_errors=True)
    Path(connection.history_folder).mkdir(parents=True)
    paused(connection, folder)
    operations.destroy(connection, NAME)
    operations.detach_device(connection, NAME, MAC)


def pushed(connection: Connection, folder: Path) -> None:
    with_history(connection, folder)
    operations.push_history(connection, str(new_remote(folder / "remote.git")))


def lost(connection: Connection, folder: Path) -> None:
    """Another host had it, and is down."""
    pushed(connection, folder)
    domain = connection.find_domain(NAME)
    here = history_place(connection).host
    assert not Claims(f"{folder}/remote.git").move([domain.uuid], here, "hv9", "root")
    domain.undefine()


def deleted(connection: Connection, folder: Path) -> None:
    with_history(connection, folder)
    operations.delete_domain(connection, NAME)


BEFORE: dict[str, Prepare] = {
    "adopt": released,
    "destroy": paused,
    "evacuate": lost,
    "discard-save": saved,
    "history check": with_history,
    "history pull": pushed,
    "history push": pushed,
    "history repair": with_history,
    "history restore": deleted,
    "history verify": pushed,
    "log": recorded,
    "reboot": paused,
    "reset": paused,
    "restore": saved,
    "rollback": with_history,
    "resume": paused,
    "resume-host": wanted,
    "save": paused,
    "shutdown": runs,
    "snapshot delete": with_snapshot,
    "snapshot list": with_snapshot,
    "snapshot revert": with_snapshot,
    "suspend": runs,
    "unrescue": rescued,
    "upgrade certificates": with_old_firmware,
    "upgrade firmware": with_old_firmware,
}
"""Command → what is there before; else :func:`nothing` special."""

VALUES = {
    "NAME": NAME,
    "[NAME]": NAME,
    "[NAME]…": NAME,
    "[REV]": "last-start",
    "A": NAME,
    "B": f"{NAME}@config",
    "NEW_NAME": "ö",
    "TARGET": "vda",
    "DEVICE": MAC,
    "MAC": MAC,
    "SIZE": "2MiB",
    "SNAPSHOT": "s",
    "MACHINE": "pc-q35-7.2",
    "INTERFACE": "user",
    "FILE.xml": "{folder}/rng.xml",
    "DISK": f"path={{folder}}/ü{NEW}.qcow2,size=1MiB",
    "[PLACE]": "path={folder}/moved",
    "[REMOTE]": "{folder}/remote.git",
    "IMAGE": "path={folder}/other.qcow2,format=qcow2",
}
"""What stands for an argument."""

ARGUMENTS = {
    "plan hosts": "test:///default",
    "export": f"{NAME} " + "{folder}/ä.tar",
    "import": "{folder}/ö.xml",
    "create": f"ö --memory 64MiB --virt-type qemu --graphics none --disk path={{folder}}/ü{NEW}.qcow2,size=1MiB",
    "evacuate": f"{NAME} {{uri}} --from {{folder}}/remote.git --source-is-down hv9 --accept-host",
    "disk media eject": f"{NAME} sda",
    "disk media insert": f"{NAME} sda " + "path={folder}/other.img",
}
"""Command → its arguments, where those that :data:`VALUES` makes are not the ones."""

OPTIONS = {
    "disk set": "--read-iops-sec 100",
    "interface set": "--link down",
    "reboot": "--hard",
    "rollback": "--accept",
    "rescue": "--image {folder}/other.img --format raw",
    "set": f"--title é{NEW}",
    "unseal": "--cpu",
    "upgrade cpu": "--feature -aes",
    "shutdown": "--dry-run",
}
"""Command → options without which it does nothing, or waits for a guest."""


@dataclass(frozen=True)
class Call:
    """One command as it is called, with "{folder}" in its words for where its files are, and "{uri}" for its libvirt.

    ``changes``: it is no dry run, and no command that only looks.
    """

    command: str
    words: tuple[str, ...]
    changes: bool
    before: Prepare


def call(command: str) -> Call:
    """How ``command`` is called."""
    options = OPTIONS.get(command, "")
    arguments = ARGUMENTS.get(command) or " ".join(map(_value, _arguments(COMMANDS[command])))
    words = f"{command} {arguments} {options}".split()
    has_dry_run = any(each.name == "dry_run" for each in COMMANDS[command].params)
    changes = isinstance(COMMANDS[command], ChangingCommand) or (has_dry_run and "--dry-run" not in words)
    return Call(command, tuple(words), changes, BEFORE.get(command, nothing))


def _arguments(command: click.Command) -> list[str]:
    """The arguments that say what it is about; URIs are not: without them it is this libvirt."""
    found = [str(each.metavar) for each in command.params if isinstance(each, click.Argument)]
    return [each for each in found if "URI" not in each]


def _value(metavar: str) -> str:
    assert metavar in VALUES, f"say in {__file__} what a test gives for {metavar}"
    return VALUES[metavar]


def prepare(connection: Connection, folder: Path, made: Call) -> None:
    """Make the domain, and what else the command is about."""
    devices = f"""{qcow2_disk(_image(folder, "root"))}
      <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{image(folder, "cd")}'/>
        <target dev='sda' bus='sata'/><readonly/></disk>
      <interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"""
    _image(folder, "other")
    image(folder, "other")
    (folder / "rng.xml").write_text("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    printed = connection.define(domain_xml("ö", "pc-q35-7.1"))
    (folder / "ö.xml").write_text(printed.xml(CONFIG))
    printed.undefine()
    document = domain_xml(NAME, "pc-q35-7.1", extra=devices)
    connection.define(document.replace("<memory ", f"<description>{OBEYED}\x85</description><memory ", 1))
    operations.adopt_domain(connection, NAME)
    made.before(connection, folder)


def _image(folder: Path, name: str) -> Path:
    path = folder / f"{name}.qcow2"
    path.write_bytes(_empty_image())
    return path


@functools.cache
def _empty_image() -> bytes:
    """Made once: qemu-img takes longer than a command."""
    with tempfile.TemporaryDirectory() as folder:
        return qcow2(Path(folder), "empty").read_bytes()


def clear(connection: Connection) -> None:
    """Remove all domains."""
    for domain in connection.domains():
        if domain.is_active():
            domain.destroy()
        domain.undefine()


def traces(connection: Connection) -> object:
    """What is there of all domains: after whatever changed something it is another."""
    return [
        (each.xml(CONFIG), each.state(), _process(each), each.has_managed_save(), each.snapshot_count())
        for each in connection.domains()
    ]


def _process(domain: Domain) -> str:
    """Which of its starts it runs from."""
    return ElementTree.fromstring(domain.xml(LIVE)).get("id", "")
