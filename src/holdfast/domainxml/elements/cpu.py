"""``<cpu>``: the processor that the guest sees."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.sides import Note, Sides, View


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """Live names the CPU that QEMU really gave (check='full'), where config only asks for one (libvirt ≥ 3.2).

    What QEMU added to the model is no change. Of a CPU that config leaves to the host, what live has of it is a note.
    What follows from the topology alone is no longer named by live (12.8), also of a guest that has run since before.
    """
    old, new = before.find("cpu"), after.find("cpu")
    if old is None or new is None:
        return
    if "full" in (old.get("check"), new.get("check")):
        for path in (f"feature[{name}]@policy" for name in BY_TOPOLOGY):
            if (path in one.guest) != (path in other.guest):
                one.drop(path)
                other.drop(path)
    for asked, got, asked_view, got_view in ((old, new, one, other), (new, old, other, one)):
        if got.get("check") != "full" or asked.get("check") == "full":
            continue
        mode = "minimum" if asked.get("match") == "minimum" else asked.get("mode", "custom")
        if mode in _OPEN and got.get("mode", "custom") == "custom":
            words = f"{mode}, whatever the host has", f"{value_at(got, 'model')} of this host"
            for view in (one, other):
                view.drop("@mode", "@match", "@migratable", "model", "vendor")
            yield ("@mode", *(words if asked is old else words[::-1]))
        for path in set(got_view.guest) - set(asked_view.guest):
            if path.startswith(("feature[", "vendor", "maxphysaddr")):
                del got_view.guest[path]
        for path, policy in list(asked_view.guest.items()):
            if path.startswith("feature[") and policy == "optional":
                asked_view.drop(path)
                got_view.drop(path)


BY_TOPOLOGY = ("cmp_legacy", "ht")
"""Features that libvirt (12.8) does not hand to QEMU, which has them where a socket has several threads."""

_OPEN = ("host-model", "maximum", "minimum")

SIDES = Sides(
    "cpu",
    guest="""
        @mode=custom @match=exact|strict @migratable=on @deprecated_features model model@vendor_id vendor
        topology@sockets,cores,threads topology@dies=1 topology@clusters=1
        feature[name]@policy cache@level,mode maxphysaddr@mode,bits,limit
        numa/cell[id]@cpus numa/cell[id]@memory,unit numa/cell/distances/sibling[id]@value
        numa/cell/cache[level]@associativity,policy
        numa/cell/cache/size@value,unit numa/cell/cache/line@value,unit
        numa/interconnects/latency@initiator,target,cache,type,value
        numa/interconnects/bandwidth@initiator,target,cache,type numa/interconnects/bandwidth@value,unit
    """,
    host="@check model@fallback numa/cell@memAccess,discard",
    device=False,
    reconcile=_reconcile,
)
