"""``<disk>``: how one is made, where its image is, which target is free, and what of it the guest sees."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from holdfast.domainxml.document import Element, child, element, remove_children, value_at
from holdfast.domainxml.elements import virtio
from holdfast.domainxml.elements.disk_image import image_of
from holdfast.domainxml.elements.network_source import url_of
from holdfast.domainxml.sides import Note, Sides, View
from holdfast.errors import elements as errors

_WITHOUT_IDE = ("virt", "pseries", "s390-ccw")
"""How machine types begin that bring neither IDE nor SATA: a CD drive there is on SCSI."""

_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}
BUSES = tuple(_PREFIXES)
"""The buses a disk can sit on, as libvirt names them."""

WORDS = {
    "device": ("disk", "cdrom", "lun", "floppy"),
    "cache": ("default", "none", "writethrough", "writeback", "directsync", "unsafe"),
    "discard": ("ignore", "unmap"),
}
"""libvirt's words for the kind of a disk, and for what its driver does with the host's cache and with discards."""

_WHAT = {"device": "kind of disk", "cache": "disk cache mode", "discard": "disk discard mode"}

_TARGET = re.compile(r"^(fd|hd|sd|vd|xvd|ubd)[a-zA-Z0-9_]+\Z")
_SERIAL = re.compile(r"^[A-Za-z0-9_.+ -]+\Z")
_SERIAL_LENGTH = {"virtio": 20, "sata": 20, "ide": 20, "usb": 20, "scsi": 36}
"""Bus → how many characters of a serial the guest sees; QEMU cuts the rest (virtio: VIRTIO_BLK_ID_BYTES)."""

_LONGEST_SERIAL = {"scsi": 36, "usb": 36}
"""Bus → how many characters QEMU takes; on the others it takes any number (MAX_SERIAL_LEN, 7.2)."""


@dataclass(frozen=True)
class Source:
    """Where an image is: the ``type`` of the disk, and its ``<source>`` element (None for an empty drive)."""

    type: str
    element: Element | None


def file_source(path: str) -> Source:
    """An image in a file of the host."""
    return Source("file", element("source", {"file": path}))


def block_source(path: str) -> Source:
    """A block device of the host."""
    return Source("block", element("source", {"dev": path}))


def volume_source(pool: str, volume: str) -> Source:
    """A volume that only libvirt can reach, such as one in a pool on RBD."""
    return Source("volume", element("source", {"pool": pool, "volume": volume}))


def network_source(source: Element) -> Source:
    """A ``<source protocol='…'>`` element as it is: RBD, iSCSI, NBD, with its hosts and secrets."""
    return Source("network", copy.deepcopy(source))


EMPTY = Source("file", None)
"""The source of a CD or floppy drive with nothing in it."""


def new_disk(
    source: Source,
    *,
    target: str | None = None,
    bus: str = "virtio",
    format: str = "raw",
    device: str = "disk",
    serial: str | None = None,
    alias: str | None = None,
    cache: str | None = None,
    discard: str | None = None,
    readonly: bool = False,
    shareable: bool = False,
    boot_order: int | None = None,
) -> Element:
    """A ``<disk>`` element, its children in the order in which libvirt prints them.

    ``target`` None leaves the choice to the attach. ``format`` is the stated format of the image; ``device``, ``cache``
    and ``discard`` are among WORDS. Raises UNKNOWN_WORD, BAD_TARGET, BAD_SERIAL, LONG_SERIAL for one that
    QEMU would not take, and FLOPPY_BUS, CD_ON_VIRTIO and NO_LUN for a bus that such a device cannot be on.
    """
    _check_bus_name(bus)
    for key, word in (("device", device), ("cache", cache), ("discard", discard)):
        check_word(key, word)
    _check_bus(device, bus, source)
    _check_names(bus, target, serial)
    driver = {"name": "qemu", "type": format, "cache": cache, "discard": discard}
    disk = element("disk", {"type": source.type, "device": device})
    disk.append(element("driver", {key: value for key, value in driver.items() if value is not None}))
    if source.element is not None:
        disk.append(copy.deepcopy(source.element))
    disk.append(element("target", {"dev": target, "bus": bus} if target else {"bus": bus}))
    if readonly or device == "cdrom":
        disk.append(element("readonly"))
    if shareable:
        disk.append(element("shareable"))
    if serial is not None:
        disk.append(element("serial", text=serial))
    if boot_order is not None:
        disk.append(element("boot", {"order": str(boot_order)}))
    if alias is not None:
        disk.append(element("alias", {"name": alias}))
    return disk


def check_word(key: str, word: str | None) -> None:
    """Raise UNKNOWN_WORD when ``word`` is not among WORDS for ``key`` ("device", "cache" or "discard")."""
    if word is not None and word not in WORDS[key]:
        raise errors.UNKNOWN_WORD(what=_WHAT[key], word=word, words=WORDS[key])


def driver_word(disk: Element, key: str) -> str:
    """What the driver of ``disk`` says of ``key`` ("cache" or "discard"); the first of WORDS where it says nothing."""
    return value_at(disk, f"driver@{key}") or WORDS[key][0]


def set_driver_word(disk: Element, key: str, word: str) -> None:
    """Set ``key`` of the driver of ``disk`` to ``word`` ("cache" or "discard"); "default" leaves it to QEMU."""
    driver = disk.find("driver")
    if driver is None:
        driver = element("driver", {"name": "qemu"})
        disk.insert(0, driver)
    if word == "default":
        driver.attrib.pop(key, None)
    else:
        driver.set(key, word)


def default_bus(device: str, machine: str) -> str:
    """The default bus of a new disk, which every guest with such a ``machine`` type has a driver for."""
    cd_bus = "sata" if "q35" in machine else "scsi" if machine.startswith(_WITHOUT_IDE) else "ide"
    return {"cdrom": cd_bus, "floppy": "fdc"}.get(device, "virtio")


def _check_bus_name(bus: str) -> None:
    if bus not in _PREFIXES:
        raise errors.UNKNOWN_WORD(what="disk bus", word=bus, words=BUSES)


def _check_bus(device: str, bus: str, source: Source) -> None:
    """Refuse beforehand what libvirt (9.0) would refuse only once a controller has been attached for it."""
    if (device == "floppy") != (bus == "fdc"):
        raise errors.FLOPPY_BUS()
    if device == "cdrom" and bus == "virtio":
        raise errors.CD_ON_VIRTIO()
    if device == "lun" and (source.type == "file" or bus not in ("virtio", "scsi")):
        raise errors.NO_LUN()


def _check_names(bus: str, target: str | None, serial: str | None) -> None:
    if target is not None and not _TARGET.match(target):
        raise errors.BAD_TARGET(target=target)
    if serial is not None and not _SERIAL.match(serial):
        raise errors.BAD_SERIAL(serial=serial)
    most = _LONGEST_SERIAL.get(bus)
    if serial is not None and most is not None and len(serial) > most:
        raise errors.LONG_SERIAL(serial=serial, length=len(serial), most=most, bus=bus)


def new_serial() -> str:
    """A random serial, short enough for every bus."""
    import secrets  # costs 5 ms: not for those who only read documents

    return secrets.token_hex(8)


def seen_serial(disk: Element) -> str | None:
    """As much of the serial of ``disk`` as the guest sees; None where it has none."""
    serial = disk.findtext("serial")
    return serial[: _SERIAL_LENGTH.get(value_at(disk, "target@bus") or "")] if serial else None


def shortened_serials(disks: Iterable[Element]) -> Iterator[str]:
    """A sentence for each of ``disks`` of whose serial the guest does not see the end."""
    for disk in disks:
        seen, serial = seen_serial(disk), disk.findtext("serial")
        if seen is not None and seen != serial:
            name = value_at(disk, "target@dev")
            yield f"of the serial of disk {name} the guest sees the first {len(seen)} characters: {seen}"


def disk_with_serial_of(disk: Element, others: Iterable[Element]) -> Element | None:
    """The first of ``others`` on the bus of ``disk`` that shows the guest the same serial; None where none does."""
    seen, bus = seen_serial(disk), value_at(disk, "target@bus")
    alike = (each for each in others if seen is not None and seen_serial(each) == seen)
    return next((each for each in alike if each is not disk and value_at(each, "target@bus") == bus), None)


def refuse_same_serials(domain: Element, before: Element | None = None) -> None:
    """Raise SAME_SERIAL where two disks of ``domain`` would show the guest the same, and not already ``before``."""
    disks = domain.findall("devices/disk")
    known = Counter(map(seen_serial, () if before is None else before.iterfind("devices/disk")))
    for number, disk in enumerate(disks):
        other = disk_with_serial_of(disk, disks[:number])
        if other is not None and known[seen_serial(disk)] < 2:
            names = [value_at(each, "target@dev") for each in (other, disk)]
            raise errors.SAME_SERIAL(one=names[0], other=names[1], serial=seen_serial(disk))


def set_source(disk: Element, source: Source) -> None:
    """Let ``disk`` have its image at ``source``."""
    disk.set("type", source.type)
    remove_children(disk, "source")
    driver = disk.find("driver")
    if source.element is not None:
        disk.insert(0 if driver is None else disk.index(driver) + 1, copy.deepcopy(source.element))


def with_image(disk: Element, source: Source, format: str | None = None) -> Element:
    """A copy of ``disk`` with its image at ``source``; with ``format`` None the image has the same format as before."""
    changed = without_image(disk)
    set_source(changed, source)
    new, policy = changed.find("source"), value_at(disk, "source@startupPolicy")
    if new is not None and policy is not None and source.type != "network":  # libvirt 9.0 refuses it there
        new.set("startupPolicy", policy)
    child(changed, "driver").set("type", format or stated_format(disk))
    return changed


def without_image(disk: Element) -> Element:
    """A copy of ``disk`` without all that says which image it has: what must stay when it gets another one."""
    rest = copy.deepcopy(disk)
    rest.attrib.pop("type", None)
    remove_children(rest, "source", "auth", "encryption", "backingStore", "mirror")
    for tag, attribute in (("driver", "type"), ("target", "tray")):
        for part in rest.findall(tag):
            part.attrib.pop(attribute, None)
    return rest


def next_target(bus: str, documents: Iterable[Element]) -> str:
    """The first target on ``bus`` ("vda", "sdb" …) that no disk of ``documents`` has. Raises UNKNOWN_WORD."""
    _check_bus_name(bus)
    taken = {target.get("dev") for document in documents for target in document.iterfind("devices/disk/target")}
    return next(name for number in count() if (name := _PREFIXES[bus] + _letters(number)) not in taken)


def _letters(number: int) -> str:
    """The letters for a number, as the guest's kernel and libvirt count disks: 0 → a, 25 → z, 26 → aa."""
    name = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        name = chr(ord("a") + digit) + name
    return name


def number_of_target(target: str) -> int:
    """The number that the letters of ``target`` stand for, from 0: "sdh" → 7; 0 for a name that is none of libvirt's.

    A number behind them names a partition (virDiskNameParse, libvirt 9.0).
    """
    match = re.fullmatch(r"(?:[fhsv]d|xvd|ubd)([a-z]+)\d*", target)
    number = 0
    for letter in match[1] if match else "a":
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def is_optional(disk: Element) -> bool:
    """True where libvirt starts a domain without the image of ``disk``, or the disk, if the image is not there."""
    return value_at(disk, "source@startupPolicy") == "optional"


def source_of(disk: Element) -> str | None:
    """Where the image of ``disk`` is, in one word: a path, ``POOL/VOLUME`` or a URL; None for an empty drive."""
    source = disk.find("source")
    if source is None:
        return None
    path = source.get("file") or source.get("dev") or source.get("dir")
    if path is not None:
        return path
    if source.get("pool") is not None:
        return f"{source.get('pool')}/{source.get('volume')}"
    return None if source.get("protocol") is None else url_of(source)


def host_path(disk: Element) -> str | None:
    """The file or block device of the host that is the image of ``disk``; None where it is reached in another way."""
    return source_of(disk) if disk.get("type", "file") in ("file", "block") else None


def pool_and_volume(disk: Element) -> tuple[str, str] | None:
    """Pool and volume of ``disk``, where its document names it so."""
    source = disk.find("source") if disk.get("type") == "volume" else None
    return None if source is None else (source.get("pool", ""), source.get("volume", ""))


def backing_files(disk: Element) -> list[str]:
    """The files and block devices that the document itself says the image of ``disk`` is made of besides, by path."""
    sources = (*disk.iterfind(".//backingStore/source"), *disk.iterfind(".//dataStore/source"))
    return [path for source in sources if (path := source.get("file") or source.get("dev")) is not None]


def stated_format(disk: Element) -> str:
    """The format that the ``<driver>`` states; raw where it states none, which is what libvirt then takes it for."""
    return value_at(disk, "driver@type") or "raw"


def is_shared(disk: Element) -> bool:
    """True when several domains may use this image at once: a CD, a read-only disk, or one marked shareable."""
    return disk.get("device") == "cdrom" or disk.find("readonly") is not None or disk.find("shareable") is not None


def is_serial(disk: Element, said: str) -> bool | None:
    """True when ``said`` is how a guest reports the serial of ``disk``; None where the document gives no serial.

    The guest sees only as much of it as the bus can carry. udev writes "_" for spaces, and on every bus but virtio it
    puts vendor and model before it ("0QEMU_QEMU_HARDDISK_root"); of a SCSI disk with a WWN it reports "3" and the WWN
    instead (systemd 252).
    """
    serial, wwn, bus = disk.findtext("serial"), disk.findtext("wwn"), value_at(disk, "target@bus") or ""
    if not serial:
        return None
    seen, reported = (re.sub(r"\s+", "_", text.strip()) for text in (serial[: _SERIAL_LENGTH.get(bus)], said))
    if reported == seen or (wwn and reported == f"3{wwn.lower()}"):
        return True
    return bus != "virtio" and re.search(rf"_{re.escape(seen)}(-\d+:\d+)?$", reported) is not None


_OF_ITS_CONTENT = ("driver@type", "encryption@", "source/encryption@", "source/slices/", "source/snapshot@")


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """How an image is read counts only while it is the same one: in another format, it is another disk to the guest.

    So it is without its encryption, from another part of it, and from another snapshot of it.
    """
    if (image_of(before), source_of(before)) != (image_of(after), source_of(after)):
        one.drop(*_OF_ITS_CONTENT)
        other.drop(*_OF_ITS_CONTENT)
    else:
        for disk, view in ((before, one), (after, other)):
            view.guest["driver@type"] = stated_format(disk)
            # Both places are libvirt's for the encryption (since 3.9): it prints what it was given.
            for name in [name for name in view.guest if name.startswith("encryption@")]:
                view.guest[f"source/{name}"] = view.guest.pop(name)
    yield from ()


SIDES = Sides(
    "disk",
    guest=f"""
        @device=disk @type=file|block|dir|network|volume|nvme @model=usb-storage @sgio=filtered
        target@bus target@removable=off target@rotation_rate,dpofua
        serial wwn vendor product readonly boot@order,loadparm
        blockio@logical_block_size,physical_block_size,discard_granularity geometry@cyls,heads,secs,trans
        driver@cache=default|none|writeback|unsafe driver@discard=ignore driver@queues,queue_size
        driver@event_idx=on driver@type {virtio.OPTIONS}
        encryption@format source/encryption@format source/slices/slice@offset,size source/snapshot@name
    """,
    host="""
        @rawio @snapshot source/** backingStore/** mirror/** privateData auth/** encryption/** iotune/**
        throttlefilters/** backenddomain@name shareable transient transient@shareBacking
        driver@name,io,error_policy,rerror_policy,copy_on_read,detect_zeroes,iothread,ioeventfd
        driver@discard_no_unref driver/statistics/** driver/metadata_cache/** driver/iothreads/**
    """,
    management="target@tray=closed",
    place="target@dev",
    identity="image alias serial source@dev wwn target@dev address",
    names={"image": image_of},
    reconcile=_reconcile,
)
"""A disk is identified by its image first: one that was at vdb and is at vdc has moved. Block devices that a host names
anew when it boots come behind its alias and serial.

A USB disk has been ``usb-storage`` before libvirt 11.5 wrote that down, CD drives too, which 11.5 makes ``usb-bot``.

Of ``driver@cache``, only "writethrough" and "directsync" hide the write cache from the guest. ``target@tray`` follows
the guest, which opens and closes the tray.
"""
