"""The machine type, and whether the host can have such a domain at all."""

from __future__ import annotations

import pytest
from tests.xml.outlook.told import BIOS, HOST, QEMU, UNKNOWN, Libvirt, custom, domain, found, host

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.host.capabilities import CAPABILITIES_UNKNOWN, Capabilities
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.versions import Versions
from holdfast.errors import InvalidDocument


def test_what_is_known_of_no_guest_is_that_its_bios_may_differ() -> None:
    assert [*host().hardware(domain(), UNKNOWN)] == [BIOS]
    assert [*host().of(domain(), UNKNOWN)] == [BIOS]
    assert [*host().hardware(parse(serialize(domain()).replace(">hvm<", ">linux<")), UNKNOWN)] == []


def test_a_machine_type_that_is_not_there_is_all_that_is_told() -> None:
    (only,) = host().hardware(domain(machine="pc-q35-9.0", cpu="<cpu mode='maximum'/>"), UNKNOWN)
    assert only == Outlook(
        Effect.BLOCKS, "machine", "the host has no machine type pc-q35-9.0; the newest of its family is pc-q35-7.2"
    )


def test_a_deprecated_machine_type_is_noted_and_the_rest_is_looked_at() -> None:
    noted, bios = host().hardware(domain(machine="pc-q35-2.12"), UNKNOWN)
    assert (noted.effect, noted.part, bios) == (Effect.NOTE, "machine", BIOS)


def test_of_a_qemu_or_architecture_that_the_host_does_not_speak_of_no_machine_type_is_judged() -> None:
    own = domain(machine="own", devices="<emulator>/own/qemu</emulator>")
    assert [*host().hardware(own, UNKNOWN)] == [BIOS]
    assert [*host().hardware(domain(machine="virt", arch="riscv64"), UNKNOWN)] == [BIOS]
    spoken_of = [host().speaks_of(emulator) for emulator in ("", QEMU, "/own/qemu")]
    assert spoken_of == [True, True, False]


def test_an_alias_is_compared_with_what_it_meant_where_the_domain_is() -> None:
    older = Libvirt(host=HOST.replace("canonical='pc-q35-7.2'", "canonical='pc-q35-6.0'"))
    sentence = "the machine type q35 stands for pc-q35-7.2, and not for pc-q35-6.0"
    for outlooks in (host().hardware, host().of):
        told = [*outlooks(domain(machine="q35"), UNKNOWN, host(older))]
        assert told == [Outlook(Effect.CHANGES, "machine", sentence), BIOS]
    assert [*host().hardware(domain(machine="q35"), UNKNOWN)] == [BIOS]


def test_a_host_that_can_have_no_such_domain_says_why() -> None:
    refused = "the host cannot run domains of this kind: not today"
    assert [*host(Libvirt(told=None)).hardware(domain(), UNKNOWN)] == [Outlook(Effect.BLOCKS, "host", refused)]
    platform = Platform("", "x86_64", "none", "qemu")
    readonly = host(Libvirt(readonly=True))
    assert host(Libvirt(told=None)).capabilities(platform) == refused
    assert readonly.capabilities(platform) == "the host has no machine type none"
    assert isinstance(host().capabilities(platform), Capabilities)


def test_what_a_readonly_connection_is_not_told_is_unknown_and_the_rest_is_judged() -> None:
    vcpus = domain(cpu="<vcpu>99</vcpu><cpu mode='maximum'/>")
    readonly = Libvirt(readonly=True, host=HOST.replace("288", "9"))
    assert [*host(readonly).hardware(vcpus, UNKNOWN)] == [
        Outlook(Effect.UNKNOWN, "host", CAPABILITIES_UNKNOWN),
        BIOS,
        Outlook(Effect.BLOCKS, "vcpu", "pc-q35-7.2 cannot have 99 vCPUs: at most 9"),
    ]


def test_of_a_machine_type_without_a_number_of_vcpus_that_number_is_not_judged() -> None:
    readonly = Libvirt(readonly=True, host=HOST.replace(" maxCpus='288'", ""))
    assert found(readonly, domain()) == [("unknown", CAPABILITIES_UNKNOWN)]


def test_what_a_document_names_of_the_host_is_part_of_the_whole_only() -> None:
    files = domain(os="<kernel>/nowhere/kernel</kernel>")
    lack = "the kernel: the host has no file /nowhere/kernel"
    libvirt = Libvirt(is_local=True)
    assert [*host(libvirt).of(files, UNKNOWN)] == [
        BIOS,
        Outlook(Effect.BLOCKS, "host", lack, who="the kernel"),
    ]
    assert [*host(libvirt).hardware(files, UNKNOWN)] == [BIOS]


def test_a_host_is_asked_once_per_platform() -> None:
    libvirt = Libvirt()
    asked = host(libvirt)
    for _ in range(3):
        [*asked.of(domain(custom()), UNKNOWN)]
        asked.machines("x86_64", "qemu")
    assert libvirt.asked[:2] == ["host", ("", "x86_64", "pc-q35-7.2", "qemu", False)]
    assert len(libvirt.asked) == 3 and libvirt.asked[2] == (
        custom().replace("'", '"'),
        "",
        "x86_64",
        "pc-q35-7.2",
        "qemu",
    )
    assert sorted(asked.machines("x86_64", "qemu")) == ["pc-q35-2.12", "pc-q35-6.0", "pc-q35-7.2", "q35"]
    assert asked.machines("x86_64", "kvm") == asked.machines("i686", "qemu") == {}


def test_what_is_not_the_capabilities_of_a_host_is_not_read_as_such() -> None:
    with pytest.raises(InvalidDocument):
        host(Libvirt(host="<domainCapabilities/>")).machines("x86_64", "qemu")


def test_versions_are_those_of_the_host() -> None:
    assert host().versions == Versions((7, 2, 0), (9, 0, 0))
