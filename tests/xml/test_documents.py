"""The two documents of a domain side by side: finding a device in them, and what differs since they were read."""

from __future__ import annotations

from holdfast.domainxml import metadata
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import Rescue
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.documents import Documents

LIVE, CONFIG = Definition.LIVE, Definition.CONFIG
MARK = metadata.with_fact(None, Rescue("2026-01-01T00:00:00+00:00", "running", "disk vdz"))
MIRROR = "<mirror type='file'><source file='/new'/></mirror>"
RNG = "<rng model='virtio'/>"


def disk(target: str, more: str = "") -> str:
    return f"<disk type='file'>{more}<source file='/{target}'/><target dev='{target}' bus='virtio'/></disk>"


def document(*devices: str) -> Element:
    return parse(f"<domain type='qemu'><devices>{''.join(devices)}</devices></domain>")


def in_rescue(*devices: str) -> Element:
    return metadata.with_ours(document(*devices), MARK)


def test_a_device_is_found_in_either_document() -> None:
    (like,) = document(disk("vda")).iterfind("devices/disk")
    live, config = document(disk("vdb"), disk("vda")), document(disk("vda"))
    both = Documents(live, config)
    assert both.find_live(like) is live.find("devices/disk[2]")
    assert both.find_config(like) is config.find("devices/disk")
    assert Documents(None, config).find_live(like) is Documents(live, None).find_config(like) is None


def test_the_documents_that_there_are_and_those_of_the_domain_itself() -> None:
    live, config, rescue = document(), document(), in_rescue()
    assert Documents(live, config).present == {LIVE: live, CONFIG: config}
    assert Documents(live, config).own() == [live, config]
    assert Documents(None, config).own() == [config]
    assert Documents(live, None).own() == [live]
    assert Documents(rescue, config).own() == [config]


def test_only_a_rescue_has_devices_of_its_own() -> None:
    live = in_rescue(disk("vda"), disk("vdz"))
    of_rescue = [label(each) for each in live.iterfind("devices/disk") if Documents(live, None).is_of_rescue(each)]
    assert of_rescue == ["vdz"]
    ordinary = document(disk("vdz"))
    assert not Documents(ordinary, None).is_of_rescue(ordinary.find("devices/disk"))  # type: ignore[arg-type]


def test_devices_that_are_new_gone_or_different_are_listed_and_a_copy_is_no_difference() -> None:
    before = Documents(document(disk("vda")), document(disk("vda"), disk("vdb"), disk("vdc")))
    after = Documents(
        document(disk("vda", MIRROR)),
        document(disk("vda"), disk("vdc").replace("><", ">\n<"), disk("vdb", "<shareable/>"), RNG),
    )
    assert after.changed_since(before, LIVE) == []
    assert after.changed_since(before, CONFIG) == ["disk vdb", "rng"]
    assert Documents(None, None).changed_since(before, CONFIG) == ["disk vda", "disk vdb", "disk vdc"]
    assert before.changed_since(Documents(None, None), LIVE) == ["disk vda"]


def test_what_a_guest_sees_differ_is_told_of_documents_that_there_were_and_are() -> None:
    before = Documents(document(disk("vda")), document(disk("vda")))
    after = Documents(document(disk("vda"), disk("vdb")), document(RNG, disk("vda")))
    assert after.guest_changes_since(before) == ["disk vdb is added", "rng is added"]
    assert after.guest_changes_since(Documents(None, before.config)) == ["rng is added"]
    assert Documents(after.live, None).guest_changes_since(before) == ["disk vdb is added"]
