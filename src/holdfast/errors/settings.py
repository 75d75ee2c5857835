"""What can be wrong with a setting: what was asked for makes no sense, cannot be done, or was done differently."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, PartlyDone, Refused, UsageError

NOTHING_SAID = Condition("nothing-said", UsageError, "no setting was given")
TOO_SMALL = Condition("too-small", UsageError, "{setting} cannot be {value}: it is at least {least}")
TOO_LARGE = Condition("too-large", UsageError, "{setting} cannot be {value}: it is at most {most}")
NO_TOPOLOGY = Condition("no-topology", UsageError, "{topology} is not a topology", "each of its numbers is at least 1")
LONG_TITLE = Condition("long-title", UsageError, "a title must be one line", "a description takes more")
BAD_PASSWORD = Condition("bad-password", UsageError, "a password must be one line of letters, digits and symbols")
LONG_VNC_PASSWORD = Condition(
    "long-vnc-password", UsageError, "a VNC password has 8 characters at most", "the protocol knows no more"
)
BAD_BOOT_ORDER = Condition(
    "bad-boot-order", UsageError, "the boot order names each device once, and at least one", "vda and sda, for example"
)
TWO_NETWORKS = Condition("two-networks", UsageError, "an interface is on a network or on a bridge, not on both")
NAMELESS = Condition("nameless", UsageError, "a network or bridge must have a name")

NO_BOOT_DEVICE = Condition(
    "no-boot-device",
    NotFound,
    "the config document of {name!r} has no device {device!r}",
    "look at the domain's devices",
)
NOT_BOOTABLE = Condition(
    "not-bootable", UsageError, "nothing can be booted from {device}", "devices that can be booted from: {kinds}"
)
NO_GRAPHICS = Condition(
    "no-graphics", NotFound, "{name!r} has no graphics that ask for a password", "graphics of these kinds do: {kinds}"
)
NOT_IN_CONFIG = Condition(
    "not-in-config",
    NotFound,
    "the domain {name!r} has no {kind} {device!r} in config",
    "set it in both documents, or look at the domain's devices",
)

_IN_CELLS = "change both in one edit of the document"
MEMORY_IN_CELLS = Condition("memory-in-cells", Refused, "the memory of {name!r} is divided among NUMA cells", _IN_CELLS)
VCPUS_IN_CELLS = Condition("vcpus-in-cells", Refused, "the vCPUs of {name!r} are divided among NUMA cells", _IN_CELLS)
BEYOND_MAX_MEMORY = Condition(
    "beyond-max-memory",
    Refused,
    "{name!r} is built with {built}: it cannot have {asked}",
    "raise its maximum to {asked} as well",
)
NO_BALLOON = Condition(
    "no-balloon",
    Refused,
    "{name!r} has no memory balloon: the guest always has all that it is built with",
    "lower what it is built with to {asked}",
)
MODULES_TOO_LARGE = Condition(
    "modules-too-large",
    Refused,
    "{name!r} has {built}, memory modules included: to have less, a module must go",
    "detach one of its memory modules",
)
BEYOND_MODULES = Condition(
    "beyond-modules",
    Refused,
    "{name!r} can grow to {most}, not {asked}",
    "edit the document, and raise <maxMemory>",
)
ODD_MODULE = Condition(
    "odd-module",
    UsageError,
    "a module of {size} would be of no use to a Linux guest: it takes memory in blocks of {block}",
    "ask for {next}",
)
MODULE_FOR_WHICH_CELL = Condition(
    "module-for-which-cell",
    Refused,
    "{name!r} has several NUMA cells, and a module belongs to one of them",
    "attach the module as a device, with its <node>",
)
NO_MODULE_SLOT = Condition(
    "no-module-slot", Refused, "all slots for memory modules of {name!r} are taken", "detach a module first"
)
BEYOND_MAX_VCPUS = Condition(
    "beyond-max-vcpus",
    Refused,
    "{name!r} cannot have {asked:vCPU}: at most {most}",
    "raise its maximum to {asked} as well; the guest gets them at its next start",
)
OTHER_TOPOLOGY = Condition(
    "other-topology",
    Refused,
    "the guest's topology {topology} makes {made:vCPU}, not {asked}",
    "say what it is to be, such as {asked:core}",
)
TOPOLOGY_DOES_NOT_FIT = Condition(
    "topology-does-not-fit",
    Refused,
    "the topology {topology} makes {made:vCPU}, but {asked} are asked for",
    "{made:vCPU} at most would fit it",
)

SETTING_NOT_TAKEN = Condition(
    "setting-not-taken",
    Failed,
    "the running domain does not accept {settings}: {cause}",
    "set it for the next start, in config alone",
)
SET_IN_PART = Condition(
    "set-in-part",
    PartlyDone,
    "set: {done}; but not {settings}: {cause}",
    "fix the cause and repeat it, or set the rest for the next start, in config alone",
)
AUTOSTART_NOT_SET = Condition(
    "autostart-not-set",
    Failed,
    "libvirt has not switched autostart of {name!r} {wanted}, and does not say why: it cannot change its link",
    "see that the folder of these links can be written: /etc/libvirt/qemu/autostart for the system's libvirt",
)
SET_IN_MEMORY = Condition(
    "set-in-memory",
    PartlyDone,
    "libvirt has set {settings} of {name!r}, but cannot write it to disk: {cause}",
    "fix the cause and repeat it: until then it is lost when libvirt's daemon restarts",
)
NOT_LET_GO = Condition(
    "not-let-go",
    PartlyDone,
    "the guest has not released what it was asked for: {cause}",
    "config has it, so it comes with the next start at the latest; repeat it to ask again",
)
SET_OTHERWISE = Condition(
    "set-otherwise",
    PartlyDone,
    "the settings of {name!r} were changed, but {differences:;}",
    "somebody else may have changed it meanwhile: look at the domain",
)
