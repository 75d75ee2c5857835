"""What Nova writes of its instance is read; what tenants chose of it is never printed raw."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.heading import heading
from holdfast.domainxml.document import parse
from holdfast.domainxml.manager.nova_metadata import (
    NovaInstance,
    nova_instance,
    recorded_request,
)

WRITTEN = (Path(__file__).parents[2] / "data" / "nova-instance.xml").read_text()
"""As Nova 34.0.0 writes it."""

UUID = "6f0c1a52-2c3e-4b1f-9f0e-0d8f4a3b2c1d"


def domain(metadata: str, before: str = "") -> str:
    return f"<domain type='qemu'>{before}<metadata>{metadata}</metadata><devices/></domain>"


def test_an_instance_is_read_from_its_domain() -> None:
    found = nova_instance(parse(domain(WRITTEN)))
    assert found == NovaInstance("web-1", "m1.small", "demo")
    assert str(found) == "web-1 (flavor m1.small, project demo)"
    request = recorded_request(parse(domain(WRITTEN)))
    assert request is not None
    assert request.properties == {"hw_disk_bus": "virtio", "hw_machine_type": "q35"}
    assert (request.flavor, request.vcpus.isdigit(), request.memory.isdigit()) == ("m1.small", True, True)
    assert request.extra_specs is not None
    assert (request.disk_format, request.kernel, request.ramdisk) == ("qcow2", None, None)
    booted = domain(WRITTEN).replace(
        "<devices", "<os><kernel>/i/kernel</kernel><initrd>/i/ramdisk</initrd></os><devices"
    )
    request = recorded_request(parse(booted))
    assert request is not None
    assert (request.kernel, request.ramdisk) == ("/i/kernel", "/i/ramdisk")
    assert heading("instance-00000001", UUID, found) == f"instance-00000001 [web-1, {UUID}]"


@pytest.mark.parametrize("metadata", ["", "<other xmlns='urn:other'><name>web-1</name></other>"])
def test_a_domain_of_others_is_no_instance(metadata: str) -> None:
    assert nova_instance(parse(domain(metadata))) is None
    assert recorded_request(parse(domain(metadata))) is None
    assert heading("a", UUID, None) == "a"


def test_old_novas_tell_less() -> None:
    old = "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><n:name> web </n:name></n:instance>"
    found = nova_instance(parse(domain(old)))
    assert (found, str(found)) == (NovaInstance("web"), "web")
    assert recorded_request(parse(domain(old))) is None


@pytest.mark.parametrize(
    "document",
    [
        domain(WRITTEN),
        domain("<own xmlns='urn:own'/>" + WRITTEN),
        domain(WRITTEN, before="<description><![CDATA[<metadata>]]></description>"),
        domain(WRITTEN.replace("</nova:owner>", "</nova:owner><nova:x><![CDATA[</metadata>]]></nova:x>")),
    ],
)
def test_whatever_else_a_document_says_the_instance_is_found(document: str) -> None:
    assert nova_instance(parse(document)) == NovaInstance("web-1", "m1.small", "demo")


def test_what_a_tenant_chose_commands_no_terminal() -> None:
    hostile = NovaInstance("a\x9b2J\n\u202eb" + "x" * 300, "f\n1", "p\u2066")
    for shown in (str(hostile), heading("instance-1\n", UUID, hostile)):
        assert shown.isprintable()
        assert shown.startswith(("a\\x9b2J\\n\\u202eb", "instance-1\\n [a\\x9b2J\\n\\u202eb"))
        assert len(shown) < 160
