"""``<nvram>`` among the devices: the NVRAM of pSeries machines. The file with UEFI variables is ``<os><nvram>``."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "nvram",
)
