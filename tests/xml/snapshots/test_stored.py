"""The <domainsnapshot> document: reading one, asking for one, who can be part, and whose metadata comes back."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.fact import Adopted, DiskRecord, Releasing, Snapshotting, Started
from holdfast.domainxml.metadata import facts, set_facts
from holdfast.domainxml.snapshots.carry_metadata import with_metadata_of
from holdfast.domainxml.snapshots.new import candidate_disks, new_snapshot
from holdfast.domainxml.snapshots.stored import read_snapshot

NOVA = "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><n:flavor name='{}'/></n:instance>"


def disk(target: str, image: str, extra: str = "", **attributes: str) -> str:
    """A qcow2 disk; attributes of the element override."""
    given = {"type": "file", "device": "disk", **attributes}
    told = " ".join(f"{key}='{value}'" for key, value in given.items())
    return f"<disk {told}><driver type='qcow2'/><source file='{image}'/><target dev='{target}'/>{extra}</disk>"


def domain(*disks: str, beside: str = "", root: str = "domain") -> str:
    """A domain document with these disks, and what stands beside the hardware."""
    return f"<{root}><name>a</name>{beside}<os/><devices>{''.join(disks)}</devices></{root}>"


def snapshot(*parts: str, memory: str = "<memory snapshot='no'/>", disks: str = "") -> str:
    """A snapshot's document."""
    return (
        "<domainsnapshot><name>s</name><state>shutoff</state><creationTime>1700000000</creationTime>"
        f"{memory}<disks>{disks}</disks>{''.join(parts)}</domainsnapshot>"
    )


def test_snapshot_of_a_shut_off_domain_has_a_config_document_alone() -> None:
    stored = read_snapshot(snapshot(domain(disk("vda", "/a.qcow2"))))
    assert (stored.live, stored.memory, stored.is_external, stored.files) == (None, "no", False, ())
    assert stored.config is not None
    assert stored.images() == {"vda": "/a.qcow2"}
    assert stored.created == "2023-11-14T22:13:20+00:00"


def test_snapshot_with_memory_has_both_documents() -> None:
    live, config = domain(disk("vda", "/live.qcow2")), domain(disk("vda", "/config.qcow2"), root="inactiveDomain")
    stored = read_snapshot(snapshot(live, config, memory="<memory snapshot='internal'/>"))
    assert stored.images() == {"vda": "/live.qcow2"}
    assert stored.config is not None and stored.config.tag == "domain", "libvirt is given it as one"
    assert [source.get("file") for source in stored.config.iterfind("devices/disk/source")] == ["/config.qcow2"]
    disk_snapshot = read_snapshot(snapshot(live, config))
    assert disk_snapshot.live is None
    assert disk_snapshot.images() == {"vda": "/live.qcow2"}


def test_external_snapshot_names_the_files_made_for_it() -> None:
    overlay = "<disk name='vda' snapshot='external'><source file='/b.qcow2'/></disk><disk name='vdb' snapshot='no'/>"
    memory = "<memory snapshot='external' file='/m.save'/>"
    stored = read_snapshot(snapshot(domain(), memory=memory, disks=overlay))
    assert stored.is_external
    assert stored.files == ("/b.qcow2", "/m.save")


def test_snapshot_with_the_mere_uuid_of_its_domain_has_no_document() -> None:
    stored = read_snapshot(snapshot("<domain><uuid>93a5c045-6457-2c09-e56c-927cdf34e178</uuid></domain>"))
    assert (stored.live, stored.config, stored.images()) == (None, None, {})


@pytest.mark.parametrize(
    ("element", "left_out", "internal", "external"),
    [
        (disk("vda", "/a"), None, None, None),
        (disk("vda", "/a").replace("qcow2", "raw"), None, "its image is raw", None),
        (disk("vda", "/a", "<readonly/>"), "read-only", None, None),
        (disk("vda", "/a", device="cdrom"), "read-only", None, None),
        (disk("vda", "/a").replace("<source file='/a'/>", ""), "empty", None, None),
        (disk("vda", "/a", snapshot="no"), "snapshot='no'", None, None),
        (disk("vda", "/a", "<shareable/>"), None, "other domains", "other domains"),
        (disk("vda", "/a", device="floppy"), None, "floppy", "floppy"),
        (disk("vda", "/a", device="lun", type="block"), None, "lun", "lun"),
        (disk("vda", "/a", type="network"), None, "type network", "type network"),
        (disk("vda", "/a", type="volume"), None, "type volume", "type volume"),
        (disk("vda", "/a", type="block"), None, None, None),
    ],
)
def test_what_disk_can_be_part(element: str, left_out: str | None, internal: str | None, external: str | None) -> None:
    for is_external, why in ((False, internal), (True, external)):
        (member,) = candidate_disks(parse(domain(element)), external=is_external)
        for said, expected in ((member.left_out, left_out), (member.impossible, why)):
            assert (said is None) == (expected is None)
            assert expected is None or expected in str(said)


def test_request_names_every_disk_so_that_libvirt_chooses_nothing() -> None:
    text = new_snapshot("a & <b>", "why", overlays={"vda": "/o.qcow2"}, left_out=["vdb"], memory_file="/m.save")
    root = parse(text)
    assert root.findtext("name") == "a & <b>"
    assert [(each.get("name"), each.get("snapshot")) for each in root.iterfind("disks/disk")] == [
        ("vda", "external"),
        ("vdb", "no"),
    ]
    assert root.find("memory[@file='/m.save']") is not None


def with_facts(text: str, *new: object) -> Element:
    """The document with our element holding these facts."""
    root = parse(text)
    set_facts(root, *new)  # type: ignore[arg-type]
    return root


def reverted(then: Element, today: Element) -> Element:
    """The config document that a snapshot of ``then`` gives back, once it was told of today's metadata."""
    text = snapshot().replace("</domainsnapshot>", f"{serialize(then)}</domainsnapshot>")
    config = read_snapshot(with_metadata_of(text, None, today)).config
    assert config is not None
    return config


def test_title_description_and_others_metadata_are_those_of_today() -> None:
    old = f"<title>old</title><description>old</description><metadata>{NOVA.format('small')}</metadata>"
    new = f"<title>new</title><metadata>{NOVA.format('big')}<o:x xmlns:o='http://other/'/></metadata>"
    then, today = parse(domain(disk("vda", "/a"), beside=old)), parse(domain(disk("vda", "/a"), beside=new))
    back = reverted(then, today)
    for tag in ("title", "description", "metadata"):
        assert [*map(serialize, back.findall(tag))] == [*map(serialize, today.findall(tag))]
    assert back.find("devices/disk") is not None


def test_hardware_of_then_stays() -> None:
    then, today = parse(domain(disk("vda", "/old"))), parse(domain(disk("vda", "/new"), beside="<title>new</title>"))
    back = reverted(then, today)
    back.remove(back.find("title"))  # type: ignore[arg-type]
    assert serialize(back) == serialize(then)


def test_our_facts_on_disks_that_are_still_there_are_those_of_today() -> None:
    adopted, renewed = Adopted("2024", "virsh", ""), Adopted("2025", "nova", "me")
    then = with_facts(
        domain(disk("vda", "/a"), disk("vdb", "/b"), disk("vdc", "/gone")),
        *(adopted, DiskRecord("vda", role="root"), DiskRecord("vdb", role="swap"), DiskRecord("vdc", role="config")),
    )
    today = with_facts(
        domain(disk("vda", "/a"), disk("vdb", "/other"), disk("vdd", "/later")),
        *(
            renewed,
            DiskRecord("vda", role="volume"),
            DiskRecord("vdb", role="ephemeral"),
            DiskRecord("vdd", role="volume"),
        ),
        Snapshotting("s", ""),
    )
    back = reverted(then, today)
    assert facts(back, Adopted) == [renewed]
    assert {fact.target: fact.role for fact in facts(back, DiskRecord)} == {
        "vda": "volume",
        "vdb": "swap",
        "vdc": "config",
    }
    assert facts(back, Snapshotting) == []


def test_what_tells_of_the_hardware_is_of_then() -> None:
    then = with_facts(domain(), Started("old cpu", ""), Releasing("disk", "vdx", "ua-x"))
    today = with_facts(domain(), Started("new cpu", ""), Releasing("disk", "vdy", "ua-y"))
    back = reverted(then, today)
    assert facts(back, Started) == [Started("old cpu", "")]
    assert facts(back, Releasing) == [Releasing("disk", "vdx", "ua-x")]


def test_released_domain_is_not_adopted_again_by_a_revert() -> None:
    then = with_facts(domain(), Adopted("2024", "virsh", ""), Started("cpu", ""))
    back = reverted(then, parse(domain()))
    assert "holdfast" not in serialize(back)


def test_live_and_config_get_their_own_metadata() -> None:
    parts = domain(beside="<title>old</title>"), domain(beside="<title>old</title>", root="inactiveDomain")
    text = snapshot(*parts, memory="<memory snapshot='internal'/>")
    live, config = (parse(domain(beside=f"<title>{word}</title>")) for word in ("live", "config"))
    running = read_snapshot(with_metadata_of(text, live, config))
    assert running.live is not None and running.config is not None
    assert (running.live.findtext("title"), running.config.findtext("title")) == ("live", "config")
    shut_off = read_snapshot(with_metadata_of(text, None, config))
    assert shut_off.live is not None
    assert shut_off.live.findtext("title") == "config"
