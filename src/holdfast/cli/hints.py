"""What to do about an error, in the words of the command line: the command that works.

By the code of the error's condition; where none is here, its own remedy says enough.
"""

from __future__ import annotations

from holdfast.errors import HoldfastError, fill

_TRUST = "if you know where this image comes from, add 'trust-format'"

HINTS = {
    "defect": "run with -v for details, and report it",
    "no-lab": "install holdfast-lab beside holdfast with pip; in a checkout 'scripts/demo' does so",
    "rescue-format": "add --format qcow2 or --format raw; Holdfast never guesses it from the image",
    "cannot-connect": "is libvirt running there, may this user manage it (group libvirt, or sudo), is the URI right "
    "(-c URI)?",
    "connection-lost": "is libvirt running there, and is the URI right? (-c URI)",
    "not-let-in": "may this user manage libvirt? (group libvirt, or sudo)",
    "denied": "connect without --readonly",
    "no-network": "'virsh net-list --all' shows all networks",
    "no-pool": "'virsh pool-list --all' shows all storage pools",
    "pool-not-active": "'virsh pool-start {pool}' starts it",
    "no-such-url": "{forms}; all else as XML: 'holdfast device attach'",
    "no-domain": "'holdfast list' shows all domains",
    "read-only-connection": "connect without --readonly",
    "transient": "'holdfast xml --live --security-info {name}' shows the only document that it has",
    "in-rescue": "'holdfast unrescue {name}' leaves it; then repeat this",
    "unfinished": "if it was interrupted: 'holdfast delete --storage {name}', then create it again",
    "locked": "repeat it later; --lock-timeout SECONDS waits longer",
    "not-running": "'holdfast start {name}' starts it",
    "running": "'holdfast shutdown {name}' first",
    "already-running-paused": "'holdfast resume {name}' lets it run",
    "already-running-rescue": "it is in rescue: 'holdfast unrescue {name}' leaves it",
    "already-paused": "'holdfast resume {name}' lets it run",
    "paused": "'holdfast resume {name}' lets it run",
    "asleep": "'virsh dompmwakeup {name}' wakes it",
    "not-paused-asleep": "'virsh dompmwakeup {name}' wakes it",
    "still-running": "wait for it or repeat 'holdfast shutdown {name}'; 'holdfast destroy {name}' switches it off at "
    "once, as pulling the plug does",
    "off-and-not-started": "its config document is unchanged; remove the cause, then 'holdfast start {name}'",
    "managed-save": "'holdfast restore {name}' continues from it, 'holdfast discard-save {name}' drops it",
    "managed-save-running": "'holdfast discard-save {name}' drops it",
    "nothing-to-restore": "'holdfast start {name}' boots it",
    "managed-save-unreadable": "'holdfast discard-save {name}' drops it; the next start boots then",
    "managed-save-refused": "remove the cause, or drop it with 'holdfast discard-save {name}'",
    "not-in-rescue-off": "'holdfast start {name}' starts it as its own self",
    "undefined-in-rescue": "'holdfast destroy {name}' ends the rescue, and with it the domain",
    "running-before-rescue": "'holdfast shutdown {name}' first, or --force to switch it off as pulling the plug does",
    "rescue-ended-not-started": "its config document is unchanged; remove the cause, then 'holdfast start {name}'",
    "rescue-not-started": "'holdfast start {name}' starts it as it was; or remove the cause and repeat the rescue",
    "rescue-changed": "it was switched off again; report this, with 'holdfast xml {name}'",
    "no-disk": "'holdfast disk list {name}' shows them",
    "not-repaired": "remove the cause, then repeat 'holdfast repair {name}'",
    "not-wholly-repaired": "remove the cause, then repeat 'holdfast repair {name}'",
    "host-side-lacks": "remove the cause, then 'holdfast repair {name}'",
    "image-in-place": "'holdfast disk swap' gives a disk another image",
    "no-firmware": "install it (Debian, Ubuntu: ovmf; Fedora: edk2-ovmf), or use --firmware bios",
    "no-firmware-with-secure-boot": "install it (Debian, Ubuntu: ovmf; Fedora: edk2-ovmf), or use --firmware bios",
    "no-firmware-without-secure-boot": "install it (Debian, Ubuntu: ovmf; Fedora: edk2-ovmf), or use --firmware bios",
    "not-an-image": "path= takes an image: /folder/name.qcow2, or a volume such as /dev/group/name",
    "not-raw": f"say format={{found}} if that is what it is; {_TRUST}",
    "another-format": "say format={found} if that is what it is",
    "not-of-format": "say format=raw if that is what it is",
    "volume-of-another-format": f"say format={{found}} if that is what it is; {_TRUST}",
    "backing-format-not-stated": f"state it: qemu-img rebase -u -b {{backing}} -F FORMAT {{path}}; {_TRUST}",
    "names-another-file": _TRUST,
    "image-not-smaller": "leave out size=",
    "unasked": "nothing was changed; report this, with 'holdfast xml {name}'",
    "unasked-at-start": "take it with --accept, or undo what waits in config ('holdfast show {name}' lists it)",
    "unasked-edit": "--accept takes it",
    "unasked-setting": "nothing was changed; 'holdfast edit {name}' can do it",
    "unasked-swap": "take it with --accept, or take an image of the same size",
    "unasked-revert": "take it with --accept",
    "unasked-revert-hardware": "take it with --accept; --disks-only keeps today's hardware, while the domain "
    "is shut off",
    "unasked-revert-sizes": "take it with --accept; then 'holdfast disk extend' once more",
    "unasked-rename": "see 'holdfast diff' with the document of before",
    "host-cannot": "'virsh capabilities' lists what is",
    "firmware-elsewhere": "run holdfast on that host, or name <loader> and <nvram template> in the document",
    "edit-renames": "'holdfast rename {name} NEW' gives it another one",
    "earlier-machine": "--lower allows it: it is the way back",
    "perhaps-earlier-machine": "--lower allows it: it is the way back",
    "domain-exists": "choose another name, or 'holdfast delete {name}' first",
    "running-before-delete": "'holdfast shutdown {name}' first, or --force to switch it off as pulling the plug does",
    "not-wholly-deleted": "remove the cause, then repeat 'holdfast delete {name}' with the same options",
    "image-left": "'holdfast disk detach {name} {target}' removes it",
    "snapshot-left": "'holdfast snapshot delete {name} {snapshot}' removes what is left of it",
    "no-free-place": "attach it for the next start with --config, or detach a device first",
    "live-refuses": "if it can only be there from the start: attach it with --config",
    "no-such-place-in-live": "attach it for the next start with --config",
    "not-taken-back": "somebody else, or a newer libvirt, changed it meanwhile: see 'holdfast show'",
    "changed-elsewhere": "somebody else, or a newer libvirt, changed it meanwhile: see 'holdfast show'",
    "in-live-only": "leave out --config",
    "no-device": "'holdfast show {name}' lists its devices",
    "no-snapshot": "'holdfast snapshot list {name}' lists them",
    "snapshot-exists": "choose another name, or 'holdfast snapshot delete {name} {snapshot}' first",
    "internal-without-disk": "--without goes with --external",
    "quiesce-of-nothing": "--quiesce goes with --external --no-memory",
    "beside-device": "say where with --folder",
    "disks-alone": "--external --no-memory, or leave out --no-memory",
    "memory-of-paused": "'holdfast resume {name}' first, or --no-memory",
    "no-internal-with-uefi": "--external takes it",
    "unfit-for-internal": "--external takes other formats too",
    "unfit-for-external": "leave them out with --without {targets: --without}",
    "after-internal": "'holdfast snapshot delete {name} {other}' first, or make an internal one",
    "snapshot-made-changed": "somebody else may have changed it meanwhile: see 'holdfast show'",
    "left-elsewhere": "run this command there",
    "snapshot-not-deleted-detached": "{target} was detached since; 'holdfast disk attach {name} "
    "path={image},format=qcow2,target={target},trust-format' brings it back",
    "snapshot-not-deleted-paused": "'holdfast resume {name}' first",
    "snapshot-not-deleted-running": "QEMU has other images now: 'holdfast shutdown {name}' first",
    "snapshot-deleted-in-part": "remove the cause, then repeat the command",
    "snapshot-deleted-changed": "somebody else may have changed it meanwhile: see 'holdfast show'",
    "snapshot-hardware-unknown": "'virsh snapshot-revert --force {name} {snapshot}' reverts to it blindly",
    "other-by-number": "--disks-only takes the right one, while the domain is shut off",
    "below-snapshot": "'holdfast snapshot delete {name} {other}' merges it first",
    "revert-stopped": "remove the cause, then repeat the command; 'holdfast show' says how it stands",
    "reverted-changed": "somebody else may have changed it meanwhile: see 'holdfast show'",
    "images-elsewhere": "run this command there",
    "disks-reverted-in-part": "remove the cause, then repeat the command",
}
"""Code of a condition → hint, with the fields of the condition in braces."""


def hint(error: HoldfastError) -> str:
    """The next step; "" where there is none to name. An error without a word of its own says what its cause does."""
    own = HINTS.get(error.code)
    if own is not None:
        return fill(own, error.fields)
    if error.cause is not None and not error.condition.remedy:
        return hint(error.cause)
    return error.remedy
