"""Of a document that came from elsewhere the guest finds its hardware again, and this host meets nothing of it."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest
from tests.generated import ASKED, DATA, INSTANCE, Edit, add, drop, generated, interface, put, volume
from tests.libvirt.compare.mutations import Mutation, chosen, mutations, values_of
from tests.raising import raising

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element, parse, serialize, value_at
from holdfast.domainxml.manager.arrive import Arrived, arrive
from holdfast.domainxml.manager.take_guest_side import taken_paths
from holdfast.errors import HoldfastError
from holdfast.errors.changes import OTHER_KIND_OF_MACHINE

NORMALISED = (DATA / "instance-normalised.xml").read_text()
"""What libvirt 9.0 made of INSTANCE when it was defined."""

QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
SAMPLE = 400


def came(*edits: Edit) -> Element:
    """The instance's document as it was elsewhere, with these edits."""
    domain = parse(NORMALISED)
    for edit in edits:
        edit(domain)
    return domain


def arrived(coming: Element, here: str = INSTANCE, old: str | None = None) -> Arrived:
    return arrive(coming, parse(here), old=None if old is None else parse(old))


def otherwise(arrival: Arrived) -> list[Change]:
    """What the guest sees otherwise, but for what libvirt itself fills in when the document is defined."""
    changes = visible(compare_documents(arrival.wanted, arrival.document))
    return [change for change in changes if change.where != "os/type@arch"]


@cache
def settled() -> str:
    return serialize(arrived(came()).document)


@cache
def mutated() -> list[Mutation]:
    values, choose = values_of([NORMALISED, INSTANCE]), random.Random(3)
    every = list(mutations(NORMALISED, values, choose, 2))
    assert len(every) > 500
    return chosen(every, SAMPLE)


def test_every_device_is_where_it_was() -> None:
    """Nova's document has no addresses at all."""
    arrival = arrived(came())
    assert otherwise(arrival) == []
    assert list(host_changes(parse(INSTANCE), arrival.document)) == []
    assert arrival.left_out == ()
    assert value_at(arrival.document, "os/type@machine") == "pc-q35-7.2"


def test_whatever_came_this_hosts_side_is_what_its_manager_generated() -> None:
    """Each attribute and text of it is set to others and taken out, each element taken out and doubled, one by one."""
    judged = set[str]()
    for mutation in mutated():
        try:
            document = arrived(parse(mutation.document)).document
        except HoldfastError as refusal:
            assert refusal.code == OTHER_KIND_OF_MACHINE.code, mutation
            continue
        if (text := serialize(document)) not in judged:
            judged.add(text)
            assert list(host_changes(parse(settled()), document)) == [], mutation
    assert len(judged) > 100


HOSTILE: dict[str, Edit] = {
    "arguments of QEMU": add(f"<qemu:commandline {QEMU}><qemu:arg value='-incoming'/></qemu:commandline>"),
    "another QEMU": put("devices/emulator", "/tmp/evil"),
    "a kernel of the host": add("<kernel>/boot/vmlinuz</kernel>", "os"),
    "a boot loader": add("<loader type='rom'>/etc/shadow</loader>", "os"),
    "an NVRAM": add("<nvram template='/etc/shadow'>/etc/passwd</nvram>", "os"),
    "an ACPI table": add("<acpi><table type='slic'>/etc/shadow</table></acpi>", "os"),
    "the host's SMBIOS": put("os/smbios@mode", "host"),
    "a file for the firmware": add(
        "<sysinfo type='fwcfg'><entry name='opt/x' file='/etc/shadow'/></sysinfo>", first=True
    ),
    "another format": put("devices/disk/driver@type", "raw"),
    "a file below the image": add(
        "<backingStore type='file'><source file='/etc/shadow'/></backingStore>", "devices/disk"
    ),
    "a mirror of the image": add("<mirror type='file'><source file='/etc/x'/></mirror>", "devices/disk"),
    "raw SCSI": put("devices/disk@sgio", "unfiltered"),
    "a firmware for the card": add("<rom file='/etc/shadow'/>", "devices/interface"),
    "a script": add("<script path='/tmp/evil'/>", "devices/interface"),
    "another cable": put("devices/interface/source@bridge", "br-mgmt"),
    "another console log": put("devices/serial/log@file", "/etc/cron.d/x"),
    "an agent anywhere": add("<source mode='bind' path='/run/libvirt/libvirt-sock'/>", "devices/channel"),
    "graphics for all": put("devices/graphics@listen", "0.0.0.0"),
    "no password": put("devices/graphics@passwd", ""),
    "randomness": add("<backend model='random'>/dev/sda</backend>", "devices/rng"),
    "no confinement": add("<seclabel type='none' model='apparmor'/>"),
    "more memory": put("memory", "214748364"),
    "more vCPUs": put("vcpu", "64"),
    "CPUs of the host": add("<vcpupin vcpu='0' cpuset='0'/>", "cputune"),
    "another partition": add("<resource><partition>/system</partition></resource>"),
    "shared memory": add("<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"),
    "a name": put("name", "another"),
    "what happens after a crash": put("on_crash", "coredump-restart"),
}
"""What whoever could write the document would like libvirt to do."""


def test_each_path_that_is_taken_was_judged() -> None:
    """One that is newly declared as seen by the guest is listed only after somebody asked what it can do to a host.

    What every device has, its address and its number in ACPI, is not listed each time.
    """
    judged = (Path(__file__).parent / "taken-paths.txt").read_text().splitlines()
    taken = sorted(path for path in taken_paths() if not path.split(" ")[1].startswith(("address", "acpi@")))
    assert taken == judged


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_that_reaches_into_the_host_is_taken(kind: str) -> None:
    assert serialize(arrived(came(HOSTILE[kind])).document) == settled()


@pytest.mark.parametrize(
    ("path", "attribute", "value"),
    [("devices/disk/source", "file", "/etc/shadow"), ("devices/interface/mac", "address", "52:54:00:00:00:01")],
)
def test_another_image_or_mac_address_is_another_device(path: str, attribute: str, value: str) -> None:
    arrival = arrived(came(put(f"{path}@{attribute}", value)))
    said = [
        {each.get(attribute) for each in document.iterfind(path)} for document in (arrival.document, parse(INSTANCE))
    ]
    assert said[0] == said[1]
    assert len(arrival.left_out) == 1


DEVICES_ASKED_FOR_BY_NOBODY = {
    "a device of the host": (
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></source></hostdev>"
    ),
    "a folder": "<filesystem type='mount'><source dir='/'/><target dir='root'/></filesystem>",
    "a disk": "<disk type='block'><source dev='/dev/sda'/><target dev='vdx' bus='virtio'/></disk>",
    "an interface": "<interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br-mgmt'/></interface>",
    "a serial port": "<serial type='file'><source path='/etc/cron.d/x'/><target port='3'/></serial>",
    "a channel": "<channel type='unix'><source path='/run/x'/><target type='virtio' name='evil'/></channel>",
    "an input device": "<input type='evdev'><source dev='/dev/input/event0'/></input>",
    "shared memory": "<shmem name='x'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "a TPM": "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
    "a socket": "<vsock model='virtio'><cid address='3'/></vsock>",
    "a card reader": "<smartcard mode='host'/>",
    "a USB port": "<redirdev bus='usb' type='tcp'><source mode='connect' host='10.0.0.1' service='1'/></redirdev>",
    "something new": "<teleporter><source path='/dev/mem'/></teleporter>",
}


@pytest.mark.parametrize("kind", DEVICES_ASKED_FOR_BY_NOBODY)
def test_a_device_that_nobody_asked_for_is_left_out_and_named(kind: str) -> None:
    arrival = arrived(came(add(DEVICES_ASKED_FOR_BY_NOBODY[kind])))
    assert serialize(arrival.document) == settled()
    assert len(arrival.left_out) == 1


@pytest.mark.parametrize("asked", ASKED)
def test_what_another_flavor_asks_for_is_applied_and_the_rest_stays(asked: str) -> None:
    arrival = arrived(came(), generated(*ASKED[asked]), INSTANCE)
    allowed = {"a TPM", "a watchdog", "sound", "a tablet"}
    assert otherwise(arrival) == [] or asked in allowed


def test_a_new_volume_and_a_new_port_are_added_beside_those_that_stay() -> None:
    here = generated(add(volume(9, "vdc")), add(interface(9)))
    arrival = arrived(came(), here)
    added = visible(compare_documents(came(), arrival.document))
    assert [change.what for change in added if change.kind == "added"] == ["disk vdc", "interface fa:16:3e:00:00:09"]


def test_a_volume_that_is_gone_is_left_out() -> None:
    arrival = arrived(came(), generated(drop("devices/disk[2]")))
    assert arrival.left_out == ("disk vdb",)


def test_a_firmware_file_that_this_host_has_is_taken_and_no_nvram() -> None:
    loader = "<loader readonly='yes' secure='no' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
    coming = came(add(loader, "os"), add("<nvram template='/etc/shadow'>/var/lib/x_VARS.fd</nvram>", "os"))
    here = parse(generated(put("os@firmware", "efi")))
    known = arrive(coming, here, loaders=["/usr/share/OVMF/OVMF_CODE_4M.fd"]).document
    assert value_at(known, "os/loader") == "/usr/share/OVMF/OVMF_CODE_4M.fd"
    assert value_at(known, "os@firmware") is None
    assert known.find("os/nvram") is None
    unknown = arrive(coming, here).document
    assert (value_at(unknown, "os@firmware"), unknown.find("os/loader")) == ("efi", None)


def test_another_kind_of_machine_is_refused() -> None:
    with raising(OTHER_KIND_OF_MACHINE):
        arrived(came(put("os/type@machine", "pc-i440fx-7.2")))
