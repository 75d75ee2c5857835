"""What the guard refuses, and what can go wrong when an edit is defined."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, Refused

_SEES = "the guest of {name!r} would see changes that nobody asked for: {changes:;}"

UNASKED = Condition("unasked", Refused, _SEES, "nothing was changed; report this, with the domain's document")
UNASKED_AT_START = Condition("unasked-at-start", Refused, _SEES, "accept them, or undo what is waiting in config")
UNASKED_EDIT = Condition("unasked-edit", Refused, _SEES, "accept them")
CHANGED_MEANWHILE = Condition(
    "changed-meanwhile",
    Refused,
    "somebody else changed the config document of {name!r} meanwhile",
    "repeat the command",
)
LIBVIRT_ADDS = Condition(
    "libvirt-adds",
    Failed,
    "libvirt would change more than was asked for: {changes:;}",
    "the document was not changed",
)
UNASKED_SETTING = Condition("unasked-setting", Refused, _SEES, "nothing was changed; edit the document instead")
UNASKED_SWAP = Condition("unasked-swap", Refused, _SEES, "accept them, or use an image of the same size")
UNASKED_REVERT = Condition("unasked-revert", Refused, _SEES, "accept them")
UNASKED_REVERT_HARDWARE = Condition(
    "unasked-revert-hardware", Refused, _SEES, "accept them, or bring back the disks alone and keep the hardware"
)
UNASKED_REVERT_SIZES = Condition("unasked-revert-sizes", Refused, _SEES, "accept them; then extend the disks once more")
UNASKED_CLONE = Condition("unasked-clone", Refused, _SEES, "nothing was made; report this")
UNASKED_CLONED = Condition("unasked-cloned", Refused, _SEES, "compare the two domains")
UNASKED_RENAME = Condition("unasked-rename", Refused, _SEES, "compare it with the earlier document")
