"""``holdfast verify``: a real guest agent gives the guest's word, and what a mute, a liar and a babbler come to."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.manager.nova_metadata import URI as NOVA
from holdfast.errors.devices import NOT_RELEASED
from holdfast.errors.look import AGENT_SILENT, NOT_ANSWERED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.verify.checked_device import Agreement
from holdfast_lab.guest import Guest
from holdfast_lab.patience import PATIENCE
from tests.guest.conftest import Boot, both_machines
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, image, place, places
from tests.libvirt.test_calls import counted
from tests.raising import raising

MAC = "52:54:00:aa:00:01"
AGREES, DIFFERS, NOT_SEEN, UNKNOWN = Agreement.AGREES, Agreement.DIFFERS, Agreement.NOT_SEEN, Agreement.UNKNOWN

INSTANCE = (Path(__file__).parents[1] / "data" / "nova-instance.xml").read_text()

LIAR = r"""
exec 3<>"$(sh /bin/agent port)"
while :; do
    while read -r line <&3; do
        id=${line##*id\":}
        case $line in
            *guest-sync*) echo "{\"return\": ${id%%\}*}}" >&3 ;;
            *) cat /run/answer >&3 ;;
        esac
    done
    sleep 0.1 # until libvirt has connected, the port is at its end
done
"""
"""A program in the agent's place that says /run/answer, whatever it is asked."""


def verdicts(connection: Connection, timeout: float = PATIENCE) -> dict[str, Agreement]:
    """Device → what comes of it."""
    return {
        each.device: each.verdict for each in operations.verify_domain(connection, "guest", timeout=timeout).devices
    }


def attach(connection: Connection, folder: Path, serial: str, bus: str = "virtio") -> None:
    """Attach a disk with this serial."""
    disk = DiskSpec(path=str(image(folder, serial)), format="raw", bus=bus, serial=serial)
    operations.attach_disk(connection, "guest", disk)


def write(guest: Guest, path: str, text: str) -> None:
    """Write a file in the guest."""
    guest.run(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d >{path}")


@both_machines
def test_the_guest_confirms_what_is_attached_and_tells_of_what_it_changed_itself(
    connection: Connection, boot: Boot, images: Path, uri: str, machine: str
) -> None:
    guest = boot(machine=machine)
    (card,) = guest.inventory().interfaces
    silent = run(uri, "verify", "guest", "--timeout", "0")
    assert silent.exit_code == 1
    assert silent.stderr.startswith("error: no agent is running in the guest of 'guest': its channel is not open\n")
    guest.start_agent()
    attach(connection, images, "one")
    assert verdicts(connection) == {"disk vda": AGREES, "disk vdb": AGREES, f"interface {card.mac}": AGREES}
    with counted() as made:
        verdicts(connection, 0)
    assert len(made) == 6, made  # the domain, its state, its live document, three questions
    attach(connection, images, "two", "scsi")
    operations.attach_interface(connection, "guest", InterfaceSpec(kind="user", mac=MAC))
    guest.domain.set_metadata(INSTANCE, "instance", NOVA, LIVE)
    documents = guest.domain.xml(LIVE), guest.domain.xml(CONFIG)
    assert len(verdicts(connection)) == 5
    guest.run("udevadm settle")
    told = json.loads(done(uri, "verify", "guest", "-o", "json", "--timeout", str(PATIENCE)))
    assert (told["format"], told["version"], told["differs"]) == ("holdfast.verify", 1, False)
    assert (told["system"]["id"], told["unreported"]["rng"], told["also"], told["notes"]) == ("probe", 1, [], [])
    assert told["instance"] == {"name": "web-1", "flavor": "m1.small", "project": "demo"}
    devices = {each["device"]: each for each in told["devices"]}
    assert {each["verdict"] for each in devices.values()} == {"agrees"}
    where = f"pci {place(guest.domain, 'vdb')}"
    assert devices["disk vdb"]["guest"] == {"name": "/dev/vdb", "address": where, "serial": "one", "mac": None}
    assert devices["disk sda"]["guest"]["serial"] == "0QEMU_QEMU_HARDDISK_two"
    assert devices[f"interface {MAC}"]["guest"]["name"] == "eth1"

    guest.run(f"ip link set {card.name} address 52:54:00:99:99:99")
    changed = run(uri, "verify", "guest", "--timeout", "0")
    assert changed.exit_code == 3
    assert f"it has {card.name} 52:54:00:99:99:99, which live does not have" in changed.stdout
    assert changed.stdout.startswith(f"guest [web-1, {guest.domain.uuid}]\nguest: Holdfast's probe guest, ")
    assert changed.stdout.endswith("guest: 4 agree, 1 not seen\n")
    guest.run(f"ip link set {card.name} address {card.mac}")
    guest.run(f"echo 1 >/sys/bus/pci/devices/{place(guest.domain, 'vdb')}/remove")
    assert verdicts(connection, 0) == {**dict.fromkeys(devices, AGREES), "disk vdb": NOT_SEEN}
    guest.run("echo 1 >/sys/bus/pci/rescan")
    assert set(verdicts(connection).values()) == {AGREES}

    assert (guest.domain.xml(LIVE), guest.domain.xml(CONFIG)) == documents
    assert [each for each in guest.domain._handle.messages(0) if "custom guest agent" in each]
    assert run(uri, "-r", "verify", "guest").stderr.endswith("hint: connect without --readonly\n")
    operations.suspend(connection, "guest")
    assert "is paused: its guest cannot answer" in run(uri, "verify", "guest").stderr


def test_what_the_agent_does_not_tell_is_unknown_and_what_it_makes_up_harms_nobody(
    connection: Connection, boot: Boot, images: Path, uri: str
) -> None:
    guest = boot()
    attach(connection, images, "one")
    guest.start_agent("-b guest-get-disks")  # the long name of the option is another one since 9.1
    found = operations.verify_domain(connection, "guest", timeout=PATIENCE)
    assert [each.verdict for each in found.devices] == [UNKNOWN, UNKNOWN, AGREES]
    (note,) = found.notes
    assert note.startswith("guest-get-disks was not answered: Command guest-get-disks has been disabled")
    guest.stop_agent()

    guest.start_agent()
    guest.ignore_hotplug()
    with raising(NOT_RELEASED):
        operations.detach_device(connection, "guest", "vdb", timeout=0)
    assert "disk vdb: it was detached, and is on its way out" in done(uri, "verify", "guest")
    guest.run(f"echo 1 >/sys/bus/pci/devices/{places(guest.domain, LIVE)['vdb']}/remove")
    assert done(uri, "verify", "guest").endswith("guest: 2 agree, 1 not seen\n")

    guest.run("kill -STOP $(cat /run/agent.pid)")
    with raising(AGENT_SILENT, reason=re.compile(".*Guest agent not available for now")):
        operations.verify_domain(connection, "guest", timeout=0)
    guest.run("kill -CONT $(cat /run/agent.pid)")
    assert not operations.verify_domain(connection, "guest", timeout=PATIENCE).differs
    guest.stop_agent()

    write(guest, "/bin/liar", LIAR)
    write(guest, "/run/answer", '{"return": [{"name": "\\u001b[2J", "hardware-address": "\\u009b7m"}]}\n')
    guest.run("setsid sh /bin/liar </dev/null >/dev/null 2>&1 & echo $! >/run/agent.pid")
    guest.wait_for_agent()
    lie = run(uri, "verify", "guest")
    assert lie.exit_code == 3
    assert "\\x1b[2J" in lie.stdout and "\x1b" not in lie.output and "\x9b" not in lie.output
    write(guest, "/run/answer", '{"error": {"class": "X", "desc": "\\u001b[2Jno"}}\n')
    with raising(NOT_ANSWERED, command="guest-get-disks", reason=re.compile(r".*\\x1b\[2Jno.*")):
        operations.verify_domain(connection, "guest", timeout=PATIENCE)
    write(guest, "/run/answer", "\x1b\xff babble\n")
    babble = run(uri, "verify", "guest", "--timeout", "0")
    assert babble.exit_code == 1 and "\x1b" not in babble.output
