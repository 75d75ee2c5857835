"""Names of another host that stand for names of this one."""

from __future__ import annotations

from holdfast.domainxml.document import parse
from holdfast.domainxml.make.rebind import HostMaps, unused_maps

DOMAIN = parse("""
<domain><name>a</name><devices>
  <disk type='file' device='disk'><source file='/images/a.img'/><target dev='vda'/></disk>
  <disk type='volume' device='disk'><source pool='fast' volume='a'/><target dev='vdb'/></disk>
  <interface type='network'><source network='lan'/></interface>
  <interface type='bridge'><source bridge='br0'/></interface>
  <interface type='direct'><source dev='eth0'/></interface>
</devices></domain>
""")


def test_names_that_the_document_has_are_used() -> None:
    maps = HostMaps(
        networks={"lan": "x"}, bridges={"br0": "x", "eth0": "x"}, pools={"fast": "x"}, paths={"/images": "/x"}
    )
    assert list(unused_maps(DOMAIN, maps)) == []


def test_a_name_that_nothing_bears_is_told() -> None:
    maps = HostMaps(networks={"nal": "x"}, bridges={"br1": "x"}, pools={"fats": "x"}, paths={"/image": "/x"})
    assert list(unused_maps(DOMAIN, maps)) == [
        "no interface of it is on the network nal",
        "no interface of it is on the bridge br1",
        "no disk of it is in the storage pool fats",
        "nothing of it is at /image",
    ]
