"""What can be wrong with what a domain has beside its document: its UEFI variables, the state of its TPM."""

from __future__ import annotations

from holdfast.errors import Condition, Refused

STATE_GONE = Condition(
    "state-gone",
    Refused,
    "{name!r} has lost {lost: and} since its last start",
    "put it back where it was, or accept that it is made anew ({kinds})",
)
STATE_IN_USE = Condition(
    "state-in-use",
    Refused,
    "the {file} belongs to the domain {user!r}",
    "choose another file, or name none: then the domain gets one of its own",
)
NVRAM_BY_NAME = Condition(
    "nvram-by-name",
    Refused,
    "libvirt finds the NVRAM of {name!r} by the domain's name, and would give it a different one under another name",
    "seal the domain first: then its document names the file",
)
NVRAM_UNFIT = Condition(
    "nvram-unfit",
    Refused,
    "{name!r} would start without its UEFI variables: {why}",
    "move the domain to a firmware that this host has, together with its variables",
)
