"""What can be wrong with attaching and detaching a device."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NoFreePlace, NotFound, PartlyDone, Refused

TAKEN = Condition(
    "taken",
    Refused,
    "{what} is already taken by {holder} in {definition}",
    "choose another, or detach that device first",
)
NO_FREE_PLACE = Condition(
    "no-free-place",
    NoFreePlace,
    "{needed:place} for hot-plug must be free in every document: {counts:;}",
    "attach it for the next start, in config alone, or detach a device first",
)
CONTROLLER_STAYS = Condition(
    "controller-stays",
    PartlyDone,
    "{cause}; what was added for it is still there ({controllers}), because {why}",
    "detach {last} to finish undoing the attach",
)
CONTROLLER_IN_LIVE_ONLY = Condition(
    "controller-in-live-only",
    Refused,
    "{device} needs the controller {controller}, which is in live only",
    "detach the controller, so that the attach brings one to both documents",
)
LIVE_REFUSES = Condition(
    "live-refuses",
    Failed,
    "the running domain does not accept {device}: {cause}",
    "if a running guest cannot get it, attach it in config alone",
)
NO_SUCH_PLACE_IN_LIVE = Condition(
    "no-such-place-in-live",
    Refused,
    "live does not have the place, or the controller, that config gives to {device}",
    "attach it for the next start, in config alone",
)
ADDRESS_NOT_IN_LIVE = Condition(
    "address-not-in-live",
    Refused,
    "live does not have the place, or the controller, that config gives to {device}",
    "leave out the address",
)
GONE_FROM_CONFIG = Condition(
    "gone-from-config",
    PartlyDone,
    "{device} was attached to config and is gone: somebody else detached it meanwhile",
)
GONE_AGAIN = Condition(
    "gone-again", PartlyDone, "{device} was attached and is gone again: somebody else detached it meanwhile"
)
NOT_TAKEN_BACK = Condition(
    "not-taken-back",
    PartlyDone,
    "the attach of {device} was undone, but config is not as it was: {changes}",
    "somebody else, or a newer libvirt, changed it meanwhile: look at the domain",
)
TWO_ADDRESSES = Condition(
    "two-addresses", PartlyDone, "{device} is attached at {places}", "detach it and attach it again"
)
CHANGED_ELSEWHERE = Condition(
    "changed-elsewhere",
    PartlyDone,
    "{device} is attached, but {definition} changed elsewhere too: {changes}",
    "somebody else, or a newer libvirt, changed it meanwhile: look at the domain",
)

FAR_ADDRESS = Condition(
    "far-address",
    Refused,
    "the place of {device} does not exist: libvirt would add {count} {kind} controllers for it",
    "choose a place that exists, or leave the choice to libvirt",
)
FAR_TARGET = Condition(
    "far-target",
    Refused,
    "{count} SCSI controllers would be added for {device}: its target is far beyond the existing ones",
    "choose a nearer target, or leave it out",
)
FITS_SEVERAL = Condition(
    "fits-several", Refused, "the element matches several devices: {names}", "name one of them instead"
)
IN_LIVE_ONLY = Condition(
    "in-live-only",
    Refused,
    "{device} of {name!r} is in live only: config has nothing to detach",
    "detach it from both documents",
)
NO_DEVICE = Condition(
    "no-device",
    NotFound,
    "the domain {name!r} has no {kind} {device!r}, neither in live nor in config",
    "look at the domain's devices",
)
NO_DEVICE_OF_KIND = Condition(
    "no-device-of-kind",
    NotFound,
    "the domain {name!r} has no {kind} {device!r}, neither in live nor in config",
    "it has {names}",
)
WOULD_COME_BACK = Condition(
    "would-come-back",
    Refused,
    "libvirt would put {device} back at once, as a model of its own choice, because there are disks on {holders}",
    "detach those disks first",
)
NOT_RELEASED = Condition(
    "not-released",
    PartlyDone,
    "the guest {answer} {device}; config no longer has it, so it is gone at the next start at the latest",
    "repeat the detach to finish it",
)
LOST_BEFORE_RELEASE = Condition(
    "lost-before-release",
    PartlyDone,
    "the guest was asked to release {device}; whether it does cannot be seen: {cause}",
    "repeat the detach to finish it, once libvirt is back",
)
NOT_RELEASED_TRANSIENT = Condition(
    "not-released-transient", PartlyDone, "the guest {answer} {device}", "repeat the detach to finish it"
)
NOT_RELEASED_PAUSED = Condition(
    "not-released-paused",
    PartlyDone,
    "the guest {answer} {device}; config no longer has it, so it is gone at the next start at the latest",
    "the domain is paused: resume it, then repeat the detach to finish it",
)
