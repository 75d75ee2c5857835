"""What only the newest libvirt has: the flags of domain capabilities."""

from __future__ import annotations

from holdfast.domainxml.document import Element, element, parse, serialize
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.domainxml.platform import Platform
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.outlook import HostOutlook, KnownGuest
from tests.libvirt.domains import CONFIG, domain_xml


def test_every_cpu_feature_that_libvirt_tells_on_request_can_be_had(newest: Connection) -> None:
    """Among them are those that it hides else, which an AMD processor with KVM has, and emulation has not."""
    platform = Platform.of(parse(newest.define(domain_xml()).xml(CONFIG)))
    told = read_capabilities(newest.domain_capabilities(*platform, all_cpu_features=True)).host_model
    usual = read_capabilities(newest.domain_capabilities(*platform)).host_model
    assert told is not None and usual is not None and len(told) > len(usual)
    domain = newest.define(domain_xml("b").replace("</features>", f"</features>{serialize(_sealed(told))}"))
    outlooks = HostOutlook(newest).hardware(parse(domain.xml(CONFIG)), KnownGuest())
    assert [str(outlook) for outlook in outlooks if outlook.part == "cpu"] == []
    domain.start(paused=True)


def _sealed(host_model: Element) -> Element:
    cpu = element("cpu", {"mode": "custom", "match": "exact", "check": "full"})
    cpu.append(element("model", {"fallback": "forbid"}, text=host_model.findtext("model")))
    cpu.extend(element("feature", {**feature.attrib}) for feature in host_model.iterfind("feature"))
    return cpu
