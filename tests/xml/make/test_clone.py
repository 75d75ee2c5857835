"""A clone's document: the identity is another, the layout the same."""

from __future__ import annotations

import re

import pytest
from tests.corpus import CORPUS

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.make.clone import renew_identity

UUID = "11111111-2222-3333-4444-555555555555"
OLD = "aaaaaaaa-2222-3333-4444-555555555555"
IDENTITY = re.compile(
    r"uuid|genid|sysinfo/system/entry\[(uuid|serial)\]|devices/disk(/(serial|wwn))?|devices/vsock/cid@address"
)


def cloned(document: str, *, serials: bool = False, cid: int | None = 77) -> tuple[str, list[str]]:
    domain = parse(document, "domain")
    shared = renew_identity(domain, name="clone", uuid=UUID, serials=serials, vsock_cid=cid)
    return serialize(domain), shared


def with_devices(devices: str, more: str = "") -> str:
    return f"<domain type='qemu'><name>web</name><uuid>{OLD}</uuid>{more}<devices>{devices}</devices></domain>"


def _with_macs_of(document: str, clone: str) -> str:
    """In a document that libvirt has not completed, nothing but its MAC address tells one interface from another."""
    domain = parse(clone)
    for old, new in zip(*(each.findall("devices/interface") for each in (parse(document), domain)), strict=True):
        mac = old.find("mac")
        new[:] = [node for node in new if node.tag != "mac"] + ([] if mac is None else [mac])
    return serialize(domain)


def is_identity(change: Change) -> bool:
    return IDENTITY.fullmatch(change.where) is not None and change.kind in (ChangeKind.CHANGED, ChangeKind.REPLACED)


@pytest.mark.parametrize("serials", [False, True])
def test_guest_sees_another_identity_and_nothing_else(serials: bool) -> None:
    for name, sample in CORPUS.items():
        document = sample.document()
        changes = compare(document, _with_macs_of(document, cloned(document, serials=serials)[0]))
        assert changes != [], name
        assert [str(change) for change in visible(changes) if not is_identity(change)] == [], name


def test_each_part_of_the_identity_is_renewed() -> None:
    document = with_devices(
        "<disk type='file'><target dev='sda' bus='scsi'/><serial>S1</serial><wwn>5000c50015ea71aa</wwn></disk>"
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/><target dev='tap7'/>"
        f"<virtualport type='openvswitch'><parameters interfaceid='{OLD}'/></virtualport></interface>"
        "<vsock><cid auto='no' address='3'/></vsock>"
        "<channel type='unix'><source mode='bind' path='/run/agent.web.sock'/></channel>"
        f"<serial type='file'><source path='/logs/{OLD}/console.log'/></serial>"
        f"<serial type='file'><source path='/logs/web/{OLD}.log'/></serial>",
        f"<genid>{OLD}</genid><sysinfo type='smbios'><system><entry name='uuid'>{OLD}</entry>"
        "<entry name='family'>one</entry></system></sysinfo>",
    )
    plain, _ = cloned(document)
    assert plain.count(OLD) == 1, "only the folder's name, which belongs to whoever made the folder"
    assert plain.count(UUID) == 3
    for gone in ("52:54:00:00:00:01", "tap7", "interfaceid", "address='3'", 'address="3"', "agent.web.sock"):
        assert gone not in plain
    for kept in (">S1<", "5000c50015ea71aa", ">one<", "/run/agent.clone.sock", f"/logs/web/{UUID}.log"):
        assert kept in plain
    assert ">1-2-3<" not in cloned(document.replace("</uuid>", "</uuid><hwuuid>1-2-3</hwuuid>"))[0]
    renewed, _ = cloned(document, serials=True)
    assert ">S1<" not in renewed
    assert re.search("<wwn>5000c5[0-9a-f]{10}</wwn>", renewed)
    assert renewed != cloned(document, serials=True)[0], "each clone is another"


def test_what_both_would_fight_for_is_said() -> None:
    document = with_devices(
        "<hostdev mode='subsystem' type='pci'><source><address bus='1' slot='0' function='0'/></source></hostdev>"
        "<filesystem type='mount'><source dir='/srv'/><target dir='data'/></filesystem>"
        "<graphics type='vnc' port='5907' autoport='no'/><graphics type='vnc' port='-1' autoport='yes'/>"
        "<serial type='dev'><source path='/dev/ttyS0'/></serial>"
    )
    _, shared = cloned(document)
    assert [sentence.split()[0] for sentence in shared] == ["hostdev", "filesystem", "the", "serial"]
    assert cloned(with_devices("<graphics type='vnc' port='-1' autoport='yes'/>"))[1] == []
