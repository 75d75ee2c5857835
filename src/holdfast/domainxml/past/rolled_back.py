"""An earlier document of a domain that is to be its own again: the hardware of then, with what the domain has today.

Today's are the name, the title, the description, all metadata, the images, and the places of NVRAM and TPM state: what
they say is no hardware, and nothing of it is made older by an older document.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, canonical, child, remove_children, remove_from_parent, same, value_at
from holdfast.domainxml.elements.disk import source_of, without_image
from holdfast.domainxml.elements.firmware import libvirt_names_nvram, nvram_format, nvram_of, set_nvram
from holdfast.domainxml.fact import AddedController
from holdfast.domainxml.metadata import OURS, tag_of
from holdfast.domainxml.past.secret_places import keep_console_passwords
from holdfast.domainxml.records.disk_record import record_element, record_elements, recorded_disk, target_of

_IDENTITY = ("name", "uuid", "hwuuid", "genid")
_FOR_PEOPLE = ("title", "description", "metadata")
"""What no guest sees; libvirt writes it behind the identity."""
_IMAGE = ("source", "auth", "encryption", "backingStore")
"""What of a disk says which image it has."""


def take_what_is_todays(then: Element, today: Element) -> None:
    """Let the earlier document ``then``, in place, have what the domain has ``today`` besides its hardware."""
    disks = dict(pair_disks(then, today))
    records = [copy.deepcopy(each) for each in _records_of_others(then, disks)]
    added = [copy.deepcopy(each) for each in _added(then)]
    child(then, "name").text = today.findtext("name")
    remove_children(then, *_FOR_PEOPLE)
    place = 1 + max(index for index, each in enumerate(then) if each.tag in _IDENTITY)
    then[place:place] = [copy.deepcopy(each) for each in today if each.tag in _FOR_PEOPLE]
    _let_records_follow(then, today, disks)
    for ours in then.iterfind(f"metadata/{OURS}"):
        ours.extend(records)
        if [*map(canonical, added)] != [*map(canonical, _added(today))]:
            remove_children(ours, tag_of(AddedController))
            ours.extend(added)
    for disk, now in disks.items():
        _take_image(disk, now)
    if (path := nvram_of(today)) is not None:
        set_nvram(then, path)
    _take_tpm_state(then, today)
    keep_console_passwords(then, today)


def _added(domain: Element) -> list[Element]:
    return domain.findall(f"metadata/{OURS}/{tag_of(AddedController)}")


def pair_disks(then: Element, today: Element) -> Iterator[tuple[Element, Element]]:
    """Each disk of ``then`` that the domain still has, with the same one of ``today``, whichever image that has now."""
    left = today.findall("devices/disk")
    for disk in then.iterfind("devices/disk"):
        alias = user_alias(disk)
        alike = [each for each in left if alias is not None and user_alias(each) == alias]
        alike += [each for each in left if target_of(each) == target_of(disk) and not _are_two(disk, each)]
        if alike:
            left.remove(alike[0])
            yield disk, alike[0]


def _are_two(disk: Element, other: Element) -> bool:
    """True for disks with one target that are not one: a disk that gets another image keeps its alias and serial."""
    if disk.get("device", "disk") != other.get("device", "disk"):
        return True
    if (image := source_of(disk)) is not None and image == source_of(other):
        return False
    return user_alias(disk) != user_alias(other) or value_at(disk, "serial") != value_at(other, "serial")


def _records_of_others(then: Element, disks: dict[Element, Element]) -> Iterator[Element]:
    """What was recorded of the disks that the domain does not have today."""
    for disk in then.iterfind("devices/disk"):
        record = None if disk in disks else record_element(then, disk)
        if record is not None:
            yield record


def _let_records_follow(then: Element, today: Element, disks: dict[Element, Element]) -> None:
    """Let today's records, of which ``then`` has a copy by now, name its disks; those of disks that go, go too."""
    became = {now: disk for disk, now in disks.items()}
    copies = [each for each, _ in record_elements(then)]
    for element, (_, record) in zip(copies, record_elements(today), strict=True):
        now = recorded_disk(today, record)
        disk = None if now is None else became.get(now)
        if disk is not None:
            element.set("target", target_of(disk))
            element.attrib.pop("alias", None)
            element.attrib.update({"alias": alias} if (alias := user_alias(disk)) else {})
        elif now is not None:
            remove_from_parent(element)


def _take_image(disk: Element, now: Element) -> None:
    """Let ``disk`` have the image that it has ``now``, or none as an empty drive."""
    if all(_same_parts(disk, now, tag) for tag in _IMAGE) and _format(disk) == _format(now):
        return
    rest = without_image(disk)
    if (kind := now.get("type")) is not None:
        rest.set("type", kind)
    if (format := _format(now)) is not None:
        child(rest, "driver").set("type", format)
    driver = rest.find("driver")
    place = 0 if driver is None else rest.index(driver) + 1
    rest[place:place] = [copy.deepcopy(each) for tag in _IMAGE for each in now.findall(tag)]
    parent = disk.getparent()
    assert parent is not None
    parent.replace(disk, rest)


def _format(disk: Element) -> str | None:
    return value_at(disk, "driver@type")


def _same_parts(disk: Element, now: Element, tag: str) -> bool:
    one, other = disk.findall(tag), now.findall(tag)
    return len(one) == len(other) and all(same(*each) for each in zip(one, other, strict=True))


def _take_tpm_state(then: Element, today: Element) -> None:
    """Let an emulated TPM have its state where it is today, and encrypted as it is."""
    backend, now = (each.find("devices/tpm/backend[@type='emulator']") for each in (then, today))
    if backend is not None and now is not None:
        for tag in ("source", "encryption"):
            remove_children(backend, tag)
            backend.extend([copy.deepcopy(each) for each in now.findall(tag)])


def misfit_of_firmware(then: Element, today: Element) -> str | None:
    """Why the firmware of ``then`` could not use the NVRAM of ``today``, in words, as far as documents tell."""
    path = nvram_of(today)
    if path is None:
        return None
    if not _has_variables(then):
        return f"its firmware of then keeps no variables, and those in {path} would be left behind"
    if not value_at(then, "os/loader"):
        return None  # libvirt is to choose one
    if (then.find("os/varstore") is None) != (today.find("os/varstore") is None):
        return f"its firmware of then does not keep its variables as {path} does"
    if nvram_format(then) != nvram_format(today):
        return f"its firmware of then has its variables as {nvram_format(then)}, and {path} is {nvram_format(today)}"
    if _is_secure(then) != _is_secure(today):
        words = ("without", "with") if _is_secure(today) else ("with", "without")
        return f"its firmware of then is one {words[0]} Secure Boot, and {path} belongs to one {words[1]} it"
    return None


def _has_variables(domain: Element) -> bool:
    named = (domain.find("os/nvram"), domain.find("os/varstore"))
    return any(each is not None for each in named) or libvirt_names_nvram(domain)


def _is_secure(domain: Element) -> bool:
    return value_at(domain, "os/loader@secure") == "yes"
