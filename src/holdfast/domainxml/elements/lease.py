"""``<lease>``: a lock that the host holds while the guest runs."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "lease",
    host="lockspace key target@path,offset",
    unseen="*",
)
