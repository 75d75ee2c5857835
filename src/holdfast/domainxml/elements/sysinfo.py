"""``<sysinfo>``: the strings in the guest's SMBIOS tables, and files that its firmware is given (fw_cfg)."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "sysinfo",
    guest="""
        @type bios/entry[name] system/entry[name] baseBoard/entry@name baseBoard/entry chassis/entry[name]
        oemStrings/entry entry[name] entry@file
    """,
    identity="@type",
    device=False,
)
