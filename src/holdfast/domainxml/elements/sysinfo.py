"""``<sysinfo>``: the strings of the SMBIOS tables, and files handed over by fw_cfg."""

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
