"""Whatever stands in an attribute, a text or a fact: a function of ``domainxml`` returns, or says what is wrong."""

from __future__ import annotations

import copy
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.corpus import CORPUS
from tests.hostile import DEEDS, VALUES, put, spots

from holdfast import domainxml
from holdfast.domainxml import fact, metadata
from holdfast.domainxml.document import Element, devices, element, parse, serialize
from holdfast.domainxml.elements.declarations import DEVICES as DECLARED
from holdfast.domainxml.elements.disk import file_source
from holdfast.domainxml.elements.vcpu import Topology
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.domainxml.host.state_files import StateFolders
from holdfast.domainxml.make.rebind import HostMaps
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.versions import Versions
from holdfast.errors import HoldfastError

TEXTS = [sample.text for sample in CORPUS.values()]
CAPABILITIES = read_capabilities((Path(__file__).parents[1] / "data" / "domain-capabilities-q35.xml").read_text())
FACTS = (
    fact.Adopted("2026-01-01T00:00:00+00:00", "holdfast", "me"),
    fact.Started("<cpu mode='custom'><model>qemu64</model></cpu>", "0" * 64),
    fact.DiskRecord("vda", "ua-a", "root", place="/x.qcow2", format="qcow2", size="1024", old="/y.qcow2"),
    fact.Releasing("disk", "vdb", "ua-b"),
    fact.RunAgain("2026-01-01T00:00:00+00:00"),
    fact.Snapshotting("s", "/s.qcow2"),
    fact.Creating("2026-01-01T00:00:00+00:00"),
    fact.Rescue("2026-01-01T00:00:00+00:00", "running", "disk vdb"),
    fact.Attaching("interface", "ua-c", "0" * 32, "pci 0, usb 0", ""),
    fact.Detaching("watchdog", "ua-d", ""),
)

DEVICES = ("device", "disk", "module", "like", "pattern", "channel", "interface", "graphics", "request", "medium")
"""Parameters for which every device of the document is given; for others the whole document."""

NODES = {"address": "address", "source": "source", "alias": "alias", "cpu": "cpu", "os": "os"}
"""Parameters → what of a device, or of the document, is given for them."""

OTHERS: dict[str, object] = {
    "Sequence[str]": ("dac",),
    "int": 2,
    "int | None": 2,
    "Capabilities": CAPABILITIES,
    "type[Fact]": fact.DiskRecord,
    "type[AnyFact]": fact.DiskRecord,
    "AnyFact": FACTS[2],
    "Fact": FACTS[2],
    "DiskRecord": FACTS[2],
    "Rescue": FACTS[7],
    "Started": FACTS[1],
    "RunAgain | None": FACTS[4],
    "set[str | None]": set(),
    "Container[str]": (),
    "Callable[[Element], bool]": lambda device: True,
    "Callable[[Fact], bool]": lambda fact: True,
    "Mapping[str, str]": {"a": "b"},
    "bool": True,
    "HostMaps": HostMaps(paths={"/x": "/y"}, networks={"default": "lan"}, pools={"default": "fast"}),
    "Iterable[str]": ["/domain/devices/graphics/@passwd"],
    "list[str]": ["x"],
    "Node | None": None,
    "Sequence[Fact]": FACTS[2:3],
    "Sides": DECLARED["disk"],
    "Mapping[str, Sides]": DECLARED,
    "Source": file_source("/x"),
    "StateFolders": StateFolders("/nvram", "/tpm"),
    "Platform": Platform("/usr/bin/qemu-system-x86_64", "x86_64", "q35", "qemu"),
    "StateFolders | None": StateFolders("/nvram", "/tpm"),
    "Topology": Topology(),
    "Versions": Versions((10, 0, 13), (9, 0, 0)),
}
"""Annotation → what is given. A function that takes something else needs its line here."""

NEEDS: dict[str, Callable[[Element], bool]] = {
    "device.remove_without_trace": lambda device: False,  # an alias that it has, and nothing behind it
    "elements.memory.last_module": lambda domain: domain.find("devices/memory") is not None,
    "elements.mirror.copied_to": lambda disk: disk.find("mirror") is not None,
    "elements.disk.driver_word": lambda disk: False,  # a key of its own
    "elements.disk.set_driver_word": lambda disk: False,
    "make.rescue.nvram_copy": lambda domain: False,
}
"""Function → whether it can be asked about a device or document: what its callers see to."""


def functions() -> dict[str, Callable[..., object]]:
    """Every public function of ``domainxml`` that is given an element, or the text of one."""
    found: dict[str, Callable[..., object]] = {}
    for module in pkgutil.walk_packages(domainxml.__path__, f"{domainxml.__name__}."):
        for name, function in vars(importlib.import_module(module.name)).items():
            if not inspect.isfunction(function) or function.__module__ != module.name or name[0] == "_":
                continue
            parameters = inspect.signature(function).parameters
            takes_element = any("Element" in str(each.annotation) for each in parameters.values())
            if takes_element or {"text", "document", "ours"} & parameters.keys():
                found[f"{module.name.removeprefix(domainxml.__name__ + '.')}.{name}"] = function
    return found


FUNCTIONS = functions()


def argument(name: str, annotation: str, domain: Element, device: Element) -> object:
    """What is given for one parameter."""
    if annotation in ("Element", "Element | None"):
        if name in NODES:
            found = domain.find(NODES[name]) if name in ("cpu", "os") else device.find(NODES[name])
            return element(name) if found is None else found
        return device if name in DEVICES else domain
    if annotation in ("Iterable[Element]", "list[Element]", "Sequence[Element]"):
        return [domain] if name in ("documents", "domains") else list(devices(domain))
    if annotation in ("str", "str | None", "str | bytes"):
        if name == "ours":
            return metadata.ours_in(domain) or "<domain/>"
        return serialize(domain) if name in ("text", "document", "before", "after") else "vda"
    assert annotation in OTHERS, f"OTHERS says nothing of {annotation}"
    return OTHERS[annotation]


@cache
def needed(name: str) -> dict[str, str]:
    """The parameters that a function must be given, with their annotations."""
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    found = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_POSITIONAL]
    return {each.name: str(each.annotation) for each in found}


def call(name: str, text: str) -> None:
    """Call a function with the document ``text``, and where it takes a device, with each that fits."""
    required = needed(name)
    of_devices = any(each in DEVICES or each in NODES for each in required)
    kinds = [each for each in required if each in ("disk", "interface")]
    unchanged = parse(text)
    for number, like in enumerate(devices(unchanged) if of_devices else [unchanged]):
        if any(kind != like.tag for kind in kinds) or (name in NEEDS and not NEEDS[name](like)):
            continue
        domain = copy.deepcopy(unchanged)  # it may be changed
        device = list(devices(domain))[number] if of_devices else domain
        arguments = {each: argument(each, annotation, domain, device) for each, annotation in required.items()}
        try:
            result = FUNCTIONS[name](**arguments)
            if isinstance(result, Iterator):
                list(result)
        except HoldfastError as error:
            assert str(error), name
            assert "\n" not in str(error), name


def with_facts(text: str) -> Element:
    """A document that records one fact of each kind."""
    domain = parse(text)
    metadata.set_facts(domain, *FACTS)
    return domain


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_can_be_asked_about_any_document(name: str) -> None:
    call(name, serialize(with_facts(CORPUS["q35-many-devices"].text)))


@settings(max_examples=settings().max_examples // 2)  # each is given to every function
@given(data=st.data(), text=st.sampled_from(TEXTS))
def test_whatever_somebody_wrote_is_met_with_a_sentence(data: st.DataObject, text: str) -> None:
    domain = with_facts(text)
    for _ in range(data.draw(st.integers(1, 4))):
        places = list(spots(domain))
        put(data.draw(st.sampled_from(places), "place"), data.draw(st.sampled_from(VALUES), "value"))
    for _ in range(data.draw(st.integers(0, 2))):
        nodes = list(domain.iter(etree.Element))[1:]
        if nodes:
            data.draw(st.sampled_from(DEEDS), "deed")(data.draw(st.sampled_from(nodes), "node"))
    garbled = serialize(domain)
    for name in FUNCTIONS:
        call(name, garbled)
