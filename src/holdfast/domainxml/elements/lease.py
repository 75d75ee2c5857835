"""``<lease>``: a lock that a lock manager holds on the host while the guest runs. The guest sees nothing of it."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "lease",
    identity="lockspace+key",
    host="lockspace key target@path,offset",
    unseen="*",
)
