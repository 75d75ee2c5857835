"""What a host, with its libvirt and its QEMU, cannot give to a domain; what stops one on its way to another host."""

from __future__ import annotations

from holdfast.errors import (
    Condition,
    Failed,
    InvalidDocument,
    LibvirtRefused,
    NoConnection,
    NotFound,
    PartlyDone,
    Refused,
    UsageError,
)

HOST_CANNOT = Condition(
    "host-cannot",
    LibvirtRefused,
    "the host cannot run domains of this kind: {reason}",
    "the host's capabilities list the kinds that it can run",
)
NO_MACHINE_TYPE = Condition(
    "no-machine-type", NotFound, "the host has no machine type {machine}", "possible: {possible}"
)
FIRMWARE_ELSEWHERE = Condition(
    "firmware-elsewhere",
    Refused,
    "which UEFI firmware the host has can be read only there, and {uri} is elsewhere",
    "do it on that host, or name <loader> and <nvram template> in the document",
)

UNKNOWN_CPU = Condition("unknown-cpu", UsageError, "libvirt knows no CPU model {cpu!r}", "possible here: {possible}")
CPU_NOT_HERE = Condition(
    "cpu-not-here", Failed, "this host cannot run the CPU model {cpu}", "possible here: {possible}"
)
CPU_MODE_NOT_HERE = Condition(
    "cpu-mode-not-here", Failed, "the CPU {cpu} is not possible here with {virt_type}", "possible here: {possible}"
)
NO_HOST_MODEL = Condition(
    "no-host-model",
    Failed,
    "libvirt cannot say which CPU host-model is here with {virt_type}",
    "possible here: {possible}",
)
NO_COMMON_CPU = Condition(
    "no-common-cpu",
    Failed,
    "there is no CPU for {name!r} that all of these hosts can give: {reasons:;}",
    "leave out the host that stands in the way, or give it a named model that all of them have",
)
CPU_NOT_GIVEN = Condition(
    "cpu-not-given",
    Refused,
    "the host cannot give {name!r} its CPU: it {lacks}",
    "let the CPU be chosen anew, or start it where the host has what it needs",
)
TOO_MANY_VCPUS = Condition("too-many-vcpus", Failed, "{machine} cannot have {vcpus:vCPU} here: at most {most}")
NO_TPM = Condition(
    "no-tpm",
    Failed,
    "this host cannot emulate a TPM",
    "install swtpm (Debian, Ubuntu, Fedora: swtpm, swtpm-tools)",
)
GRAPHICS_NOT_HERE = Condition(
    "graphics-not-here", Failed, "this QEMU has no {graphics} graphics", "possible here: {possible}"
)
VIDEO_NOT_HERE = Condition(
    "video-not-here", Failed, "this QEMU has no video device {video!r}", "possible here: {possible}"
)

NO_NETWORK = Condition(
    "no-network", NotFound, "there is no network {network!r} at {uri}", "list the networks of that host"
)
NO_POOLS = Condition("no-pools", Failed, "there are no storage pools at {uri}", "give the path of an image")
NO_POOL = Condition(
    "no-pool", NotFound, "there is no storage pool {pool!r} at {uri}", "list the storage pools of that host"
)
POOL_NOT_ACTIVE = Condition("pool-not-active", Failed, "the storage pool {pool!r} is not active", "start the pool")

ARCHIVE_ON_ITS_HOST = Condition(
    "archive-on-its-host",
    Refused,
    "what a domain has beside its document can be read and made only on libvirt's own host, and {uri} is elsewhere",
    "do it there",
)

STATE_UNSEEN = Condition(
    "state-unseen",
    Refused,
    "whether {name!r} has its {state} cannot be seen from here, and an archive without it would be no whole domain",
    "do it where libvirt sees its files",
)
NOT_AN_EXPORT = Condition(
    "not-an-export", InvalidDocument, "{path} is no export of Holdfast: {reason}", "export the domain anew"
)
NO_HWUUID = Condition(
    "no-hwuuid",
    Refused,
    "the guest would see another UUID: libvirt {libvirt} has no <hwuuid>, which 11.7 has",
    "let it keep its UUID",
)
MAC_IN_USE = Condition(
    "mac-in-use", Refused, "the domain {user!r} has the MAC address {mac}, too", "delete that domain, or clone it"
)
REACHES_HOST = Condition(
    "reaches-host",
    Refused,
    "by the document of {name!r} its guest could reach of this host: {reaches:;}",
    "say what stands for it here, or accept it as it is",
)
STATE_NOT_IN_ARCHIVE = Condition(
    "state-not-in-archive",
    Refused,
    "the {kind} of {name!r} is not in {path}, and a start would begin with an empty one",
    "export the domain with it, or accept a fresh one",
)
UNASKED_IMPORT = Condition(
    "unasked-import",
    Refused,
    "the guest of {name!r} would see other hardware here: {changes:;}",
    "map only what is on the host's side",
)
IMPORTED_OTHERWISE = Condition(
    "imported-otherwise",
    PartlyDone,
    "the domain {name!r} is imported, but its guest would see other hardware here: {changes:;}",
    "do not start it; delete it, and import it where libvirt leaves it as it is",
)

SAME_HOST = Condition("same-host", UsageError, "{uri} is the host that {name!r} is on", "name another host")
CANNOT_BE_THERE = Condition(
    "cannot-be-there",
    Refused,
    "{name!r} cannot be at {uri}: {reasons:;}",
    "provide there what it needs, or say what stands for it",
)
SEES_OTHER_THERE = Condition(
    "sees-other-there",
    Refused,
    "the guest of {name!r} would see other hardware there: {changes:;}",
    "map only what is on the host's side",
)
UUID_THERE = Condition(
    "uuid-there",
    Refused,
    "{uri} has a domain with the UUID of {name!r} already: {there!r}, {state}",
    "find out which of the two is the one that counts, and delete the other",
)
NAME_THERE = Condition(
    "name-there",
    Refused,
    "{uri} has another domain {name!r} already, with the UUID {uuid}",
    "rename one of the two",
)
NOT_SHARED = Condition(
    "not-shared",
    Refused,
    "the images of {name!r} are not on storage that both hosts share: {reason}",
    "have them copied",
)
ALREADY_THERE = Condition(
    "already-there", Refused, "{name!r} is not here any more: it is at {uri}, {state}", "connect there"
)
NOT_MOVED = Condition("not-moved", LibvirtRefused, "{name!r} was not moved, and is {state} where it was: {cause}")
MOVE_TIMED_OUT = Condition(
    "move-timed-out",
    Failed,
    "{name!r} was not moved within {seconds:g} s, and runs on where it was: {left} were left to copy",
    "slow the guest down meanwhile, let it run there before all is copied, or give it more time",
)
MOVE_CUT_OFF = Condition(
    "move-cut-off",
    NoConnection,
    "the move of {name!r} was cut off: {cause}; where it was it is {here}, at {uri} it is {there}",
    "repeat it once both hosts answer: it says what stands, and finishes it",
)
MOVE_LEFT_PAUSED = Condition(
    "move-left-paused",
    PartlyDone,
    "{name!r} is paused where it was, and not at {uri}: {cause}",
    "let it go on where it is",
)
POST_COPY_LOST = Condition(
    "post-copy-lost",
    PartlyDone,
    "the guest of {name!r} is lost: a post-copy had half of its memory at {uri}, where it runs no more",
    "switch it off and start it: it boots as after a power cut",
)
MOVE_UNDER_WAY = Condition(
    "move-under-way",
    Failed,
    "{name!r} is on its way to {uri}: part of its memory is still here",
    "wait until it is there, then repeat this",
)
POST_COPY_CRASHES = Condition(
    "post-copy-crashes",
    Refused,
    "half of {name!r} is at {uri}, where it stands still: libvirt {version} there would crash if it went on with a "
    "post-copy that broke off",
    "upgrade libvirt there to 11.4 or later while the guest's QEMU stays as it is, then repeat this",
)
RUNS_ON_BOTH = Condition(
    "runs-on-both",
    Refused,
    "{name!r} runs here and at {uri}, too: both write to what they share",
    "find out which of the two is the one that counts, and switch the other off at once",
)
STATE_STAYS = Condition(
    "state-stays",
    Refused,
    "the {kind} of {name!r} cannot be taken along: where {uri} has it is not known here",
    "export it on its own host, and import it there",
)
CARRIES_NO_FILES = Condition(
    "carries-no-files",
    Refused,
    "the libvirt of {uri} has no storage driver, so nothing that a domain has beside its document can be taken along",
    "install that, or export the domain on its own host, and import it there",
)
RESTS_ON_OTHER = Condition(
    "rests-on-other",
    Refused,
    "the image of {target} rests on {below}, and is copied only as it is",
    "export the domain, which makes one image of both, and import it there",
)
NOT_AS_COPIED = Condition(
    "not-as-copied", Failed, "{path} has {found} bytes at {uri}, and not {size}", "look at that host's storage"
)
CHANGED_WHILE_MOVED = Condition(
    "changed-while-moved",
    Refused,
    "somebody has changed {name!r} while it was to be moved, so it stays where it is",
    "repeat the move",
)
MOVE_UNSETTLED = Condition(
    "move-unsettled",
    PartlyDone,
    "{name!r} is at {uri}, where it is not released yet: {cause}",
    "repeat the move: that finishes it",
)
MOVED_OTHERWISE = Condition(
    "moved-otherwise",
    PartlyDone,
    "{name!r} runs at {uri}, but its documents there are not what they were: {changes:;}",
    "look at what its next start there would give; roll it back there, or edit it",
)
NO_FOLDER_THERE = Condition(
    "no-folder-there",
    Refused,
    "the host at {uri} can have no image at {place}: {cause}",
    "map the folder to one that it has",
)
FOR_RUNNING_GUEST = Condition(
    "for-running-guest",
    UsageError,
    "{name!r} is shut off, and this is for the move of a guest that runs: {options}",
    "leave it out, or start the domain first",
)
PROBE_OF_ONE = Condition(
    "probe-of-one",
    UsageError,
    "a probe compares what the QEMUs of two hosts make of a domain: it needs the other host, and the domain's name",
    "name both",
)
NO_MEMORY_TO_PROBE = Condition(
    "no-memory-to-probe",
    Refused,
    "the host at {uri} has {free} MiB of memory free, and a probe would need {needed} MiB",
    "probe the domain when other guests have stopped, or on a host like that one",
)
PROBE_SILENT = Condition(
    "probe-silent", Failed, "its firmware did not come to rest within {seconds:second}", "try again on a host at rest"
)
PROBE_NOT_READ = Condition("probe-not-read", Failed, "its QEMU does not answer as those that are known: {reason}")
SOURCE_MAY_RUN = Condition(
    "source-may-run",
    Refused,
    "by {remote} {hosts:;} and may run what it has: two guests that write to one image destroy it",
    "see to it that the host is down and stays down; then say that it is",
)
NOTHING_TO_EVACUATE = Condition(
    "nothing-to-evacuate", NotFound, "by {remote} the host {host!r} has no domain", "those that have some: {hosts}"
)
NOT_AT_REMOTE = Condition(
    "not-at-remote",
    NotFound,
    "{remote} has no history of a domain {name!r}, so nothing is known of its hardware",
    "a new domain with its images would be other hardware; nothing here makes that by itself",
)
SEVERAL_AT_REMOTE = Condition(
    "several-at-remote", NotFound, "{remote} has several domains {name!r}: {uuids}", "name one by its UUID"
)
DELETED_AT_REMOTE = Condition(
    "deleted-at-remote",
    Refused,
    "{name!r} was deleted on {host} at {time}: it is not one that a host has lost",
    "restore it from the history",
)
WOULD_START_AGAIN = Condition(
    "would-start-again",
    Refused,
    "{name!r} would start again: of its document nothing can be read but that of {time}, and later changes of its "
    "hardware are lost ({why})",
    "bring the history back, or accept the hardware of then",
)
NO_RECORDED_DOCUMENT = Condition(
    "no-recorded-document",
    Refused,
    "{name!r} would start again: no document of it can be read ({why}), and nothing else says what hardware it had",
    "bring the history back; a new domain with its images would be other hardware, and nothing makes that by itself",
)
EVACUATION_UNFINISHED = Condition(
    "evacuation-unfinished",
    Refused,
    "something that was begun with {name!r} was not finished when its host went down: {what:;}",
    "look at its images; its last document is in the history",
)
IMAGE_LOCKED = Condition(
    "image-locked",
    Refused,
    "the image {image} of {name!r} is locked: somebody has it open, on this host or on another one",
    "see which host runs it: it is not down",
)
CLAIM_KEPT = Condition(
    "claim-kept",
    PartlyDone,
    "{name!r} did not come here ({cause}), and {remote} says still that {host} has it: {why}",
    "repeat it once the remote can be written to: that goes on",
)
EVACUATED_IN_PART = Condition(
    "evacuated-in-part",
    PartlyDone,
    "{failed} of {all:domain} cannot come here, or not wholly: {names}; the first: {cause}",
    "repeat it for these: what is here is left as it is",
)
NONE_EVACUATED = Condition("none-evacuated", Failed, "none of {all:domain} can come here: {names}; the first: {cause}")
EVACUATION_CUT_OFF = Condition(
    "evacuation-cut-off",
    PartlyDone,
    "libvirt went away while {name!r} came here, and {done:domain} had come: {cause}",
    "repeat it: what is here stays, and what {remote} says to be here and is not, comes",
)
