"""What can be wrong with a disk or an interface that is described in a few words."""

from __future__ import annotations

from holdfast.errors import Condition, Refused, UsageError

UNKNOWN_WORD = Condition("unknown-word", UsageError, "there is no {what} {word!r}", "one of {words}")

NO_SUCH_URL = Condition(
    "no-such-url",
    UsageError,
    "{text!r} is not the short form of any image on the network",
    "{forms}; everything else as XML",
)
BAD_TARGET = Condition("bad-target", UsageError, "{target!r} cannot be the target of a disk", "vda, sdb and the like")
BAD_SERIAL = Condition(
    "bad-serial", UsageError, "{serial!r} cannot be a serial", "letters, digits, spaces and . + - _ only"
)
LONG_SERIAL = Condition(
    "long-serial",
    UsageError,
    "the serial {serial!r} has {length} characters, but QEMU takes only {most} of a {bus} disk's",
)
SAME_SERIAL = Condition(
    "same-serial",
    Refused,
    "the disks {one} and {other} would show the guest the same serial, {serial!r}: it sees no more of them than that",
    "give one of them another serial",
)
FLOPPY_BUS = Condition(
    "floppy-bus", UsageError, "a floppy is on the bus fdc, and nothing else is", "bus=fdc goes with device=floppy"
)
CD_ON_VIRTIO = Condition(
    "cd-on-virtio",
    UsageError,
    "a CD drive cannot be on the bus virtio",
    "bus=sata, bus=scsi or bus=usb; bus=ide on pc",
)
NO_LUN = Condition(
    "no-lun",
    UsageError,
    "a lun must be a block device, on the bus virtio or scsi",
    "for an image leave out device=lun",
)

NEEDS_SOURCE = Condition("needs-source", UsageError, "a {kind} interface needs the name of its {kind}")
USER_HAS_NO_SOURCE = Condition("user-has-no-source", UsageError, "a user interface has no source")
BAD_MAC = Condition(
    "bad-mac", UsageError, "{mac!r} is not a MAC address", "six pairs of hexadecimal digits: 52:54:00:12:34:56"
)
MULTICAST_MAC = Condition(
    "multicast-mac",
    UsageError,
    "{mac} is a multicast address, which no interface can have",
    "use one of 52:54:00:…",
)
NULL_MAC = Condition(
    "null-mac",
    UsageError,
    "{mac} stands for no address at all",
    "leave out mac= for a new one, or use one of 52:54:00:…",
)

NOT_LAST_ON_BUS = Condition("not-last-on-bus", UsageError, "such a disk cannot be on the bus {bus!r}", "one of {buses}")
NO_IDE = Condition("no-ide", UsageError, "this machine type has no IDE", "another bus: sata or usb")
IDE_FULL = Condition("ide-full", Refused, "all four places on IDE are taken", "another bus: sata or usb")
PCI_FULL = Condition(
    "pci-full",
    Refused,
    "PCI has no free place for the disk, nor for another port behind all others",
    "another bus, where the domain has a controller for it: sata, usb, scsi; ide on pc",
)
