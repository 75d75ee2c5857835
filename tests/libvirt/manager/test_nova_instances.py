"""On a host of Nova's, the domains that are its instances are told with their names and ids."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.document_pattern import pattern_of
from holdfast.domainxml.document import parse, serialize
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.audit.judge import Judge
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.manager.instance import is_of_instance
from tests.generated import drop
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml

WRITTEN = (Path(__file__).parents[2] / "data" / "nova-instance.xml").read_text()
INSTANCE = {"name": "web-1", "flavor": "m1.small", "project": "demo"}


def instance(connection: Connection, name: str = "instance-00000001", called: str = "web-1") -> Domain:
    metadata = f"<metadata>{WRITTEN.replace('web-1', called)}</metadata>"
    return connection.define(domain_xml(name).replace("<memory", f"{metadata}<memory"))


def test_show_tells_the_instance(connection: Connection, uri: str) -> None:
    domain = instance(connection)
    connection.define(domain_xml("other"))
    assert "  instance  web-1 (flavor m1.small, project demo)\n" in done(uri, "show", "instance-00000001")
    assert json.loads(done(uri, "show", domain.uuid, "-o", "json"))["instance"] == INSTANCE
    assert "  instance  " not in done(uri, "show", "other")
    assert json.loads(done(uri, "show", "other", "-o", "json"))["instance"] is None


def test_audit_tells_the_instance_running_or_not(connection: Connection, uri: str, tmp_path: Path) -> None:
    off, on = instance(connection), instance(connection, "instance-00000002", "web-2")
    connection.define(domain_xml("other"))
    on.start(paused=True)
    shown = run(uri, "audit", "--html", str(tmp_path / "page.html")).stdout
    assert f"  instance-00000001 [web-1, {off.uuid}]  shut off  " in shown
    assert f"  instance-00000002 [web-2, {on.uuid}]  running  " in shown
    assert "  other  shut off  " in shown
    page = (tmp_path / "page.html").read_text()
    assert f"<small>web-2 (flavor m1.small, project demo)</small><small><code>{on.uuid}</code></small>" in page
    (host,) = json.loads(run(uri, "audit", "-o", "json").stdout)["hosts"]
    names = {domain["name"]: domain["instance"] for domain in host["domains"]}
    assert names == {"instance-00000001": INSTANCE, "instance-00000002": {**INSTANCE, "name": "web-2"}, "other": None}


def test_plans_tell_the_instance(connection: Connection, uri: str) -> None:
    domain = instance(connection)
    head = f"instance-00000001 [web-1, {domain.uuid}] (shut off)"
    assert run(uri, "plan", "reboot", "instance-00000001").stdout.startswith(f"{head}: nothing is known")
    assert json.loads(run(uri, "plan", "reboot", domain.uuid, "-o", "json").stdout)["instance"] == INSTANCE
    document = domain_xml("instance-00000001").replace("<features>", "<cpu><model>no-such-cpu</model></cpu><features>")
    metadata = f"<uuid>{domain.uuid}</uuid><metadata>{WRITTEN}</metadata>"
    connection.define(document.replace("<memory", f"{metadata}<memory"))
    assert run(uri, "plan", "host").stdout.startswith(f"{head}\n  does not start: ")
    (found,) = json.loads(run(uri, "plan", "host", "-o", "json").stdout)["domains"]
    assert found["instance"] == INSTANCE


def test_the_name_a_tenant_chose_is_told_harmless(connection: Connection, uri: str, tmp_path: Path) -> None:
    instance(connection, called="a&#x9b;2J&lt;b&gt;&#x202e;")
    page = tmp_path / "page.html"
    for command in (("show", "instance-00000001"), ("audit", "--html", str(page)), ("plan", "host")):
        shown = run(uri, *command).stdout
        assert not {"\x9b", "\u202e"} & set(shown), command
    assert "a\\x9b2J&lt;b&gt;\\u202e" in page.read_text()


PORT = "12345678-1234-4abc-9def-0123456789ab"[:11]


@pytest.mark.parametrize(
    ("kind", "name", "is_own"),
    [
        ("bridge", f"tap{PORT}", True),  # also of a hybrid plug
        ("ethernet", f"tap{PORT}", True),
        ("vhostuser", f"vhu{PORT}", True),  # Open vSwitch with DPDK
        ("vhostuser", f"tap{PORT}", True),
        ("vhostuser", f"nic{PORT}", True),  # a port without a device name
        *((kind, None, True) for kind in ("hostdev", "direct", "vdpa", "vhostuser")),
        *((kind, None, False) for kind in ("bridge", "ethernet", "network")),
        ("bridge", "tap-backup", False),
        ("vhostuser", "vhost-user-1", False),
    ],
)
def test_interfaces_of_an_instance_are_those_that_nova_names(kind: str, name: str | None, is_own: bool) -> None:
    target = f"<target dev='{name}'/>" if name else ""
    interface = parse(f"<interface type='{kind}'><mac address='fa:16:3e:00:00:01'/>{target}</interface>")
    assert is_of_instance(interface, "") is is_own


def test_a_vhostuser_port_that_is_gone_is_taken_away(connection: Connection) -> None:
    port = (
        "<interface type='vhostuser'><mac address='fa:16:3e:00:00:01'/><model type='virtio'/>"
        f"<source type='unix' path='/run/vhu' mode='server'/><target dev='vhu{PORT}'/></interface>"
    )
    shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><os>"
    domain = connection.define(domain_xml(extra=port).replace("<os>", shared))
    wanted = parse(domain.xml(CONFIG))
    drop("devices/interface")(wanted)
    own = partial(is_of_instance, uuid=domain.uuid)
    followed = operations.follow_document(connection, "a", serialize(wanted), is_own=own)
    assert followed.detached == ("interface fa:16:3e:00:00:01",)
    assert "<interface" not in domain.xml(CONFIG)


def document(number: int, root: int) -> str:
    """An instance as Nova makes them: its id in SMBIOS and in a log's path, a disk on RBD, a named tap device."""
    uuid, volume = (f"00000000-0000-0000-0000-{each:012}" for each in (number, root))
    own = f"""<uuid>{uuid}</uuid><metadata>{WRITTEN}</metadata><sysinfo type='smbios'><system>
<entry name='product'>OpenStack Nova</entry><entry name='serial'>{uuid}</entry><entry name='uuid'>{uuid}</entry>
</system></sysinfo>"""
    devices = f"""<disk type='network'><driver type='raw'/><source protocol='rbd' name='vms/{volume}'>
<host name='10.0.0.1'/></source><target dev='vda' bus='virtio'/></disk>
<interface type='ethernet'><target dev='tap{number:011}'/><model type='virtio'/></interface>
<serial type='pty'><log file='/instances/{uuid}/console.log'/></serial>"""
    made = domain_xml(f"instance-{number}", extra=devices).replace("<memory", f"{own}<memory")
    return made.replace("<os>", "<os><smbios mode='sysinfo'/>")


def test_instances_that_are_alike_are_judged_once_and_each_by_its_own_values(connection: Connection) -> None:
    texts = [connection.define(document(number, root)).xml(CONFIG) for number, root in ((1, 1), (2, 2), (3, 1))]
    assert len({pattern_of(text)[0] for text in texts}) == 1
    judge = Judge(connection)
    for text in texts:
        assert judge.judge_text(text) == judge.judge(parse(text))
    found = {each.name: each.findings for each in operations.audit_host(connection).domains}
    shared = {
        name: {each.sentence for each in all_ if each.kind is FindingKind.SHARED_IMAGE} for name, all_ in found.items()
    }
    assert shared["instance-2"] == set()
    (sentence,) = shared["instance-1"]
    assert "rbd:vms/00000000-0000-0000-0000-000000000001 at 10.0.0.1" in sentence
