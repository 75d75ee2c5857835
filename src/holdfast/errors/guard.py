"""What the guard refuses, and what can go wrong when an edit is defined."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, Refused

_SEES = "the guest of {name!r} would see what nobody asked for: {changes:;}"

UNASKED = Condition("unasked", Refused, _SEES, "nothing was changed; report this, with the domain's document")
UNASKED_AT_START = Condition(
    "unasked-at-start", Refused, _SEES, "accept it, or undo what waits in config, where it is listed"
)
UNASKED_EDIT = Condition("unasked-edit", Refused, _SEES, "accept it")
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
    "the document is as it was",
)
UNASKED_SETTING = Condition("unasked-setting", Refused, _SEES, "nothing was changed; an edit of the document can do it")
UNASKED_SWAP = Condition("unasked-swap", Refused, _SEES, "accept it, or take an image of the same size")
UNASKED_REVERT = Condition("unasked-revert", Refused, _SEES, "accept it")
UNASKED_REVERT_HARDWARE = Condition(
    "unasked-revert-hardware", Refused, _SEES, "accept it, or bring back the disks alone and keep the hardware"
)
UNASKED_REVERT_SIZES = Condition("unasked-revert-sizes", Refused, _SEES, "accept it; then extend the disks once more")
UNASKED_CLONE = Condition("unasked-clone", Refused, _SEES, "nothing was made; report this")
UNASKED_CLONED = Condition("unasked-cloned", Refused, _SEES, "compare the two domains")
UNASKED_RENAME = Condition("unasked-rename", Refused, _SEES, "compare it with the earlier document")
