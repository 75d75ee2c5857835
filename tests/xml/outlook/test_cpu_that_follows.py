"""A CPU that follows its host: host-model, host-passthrough, maximum, minimum."""

from __future__ import annotations

from tests.xml.outlook.told import ANYWHERE, Q35, Libvirt, custom, domain, feature, host, of_cpu

from holdfast.domainxml.document import serialize


def test_what_host_model_becomes_is_known_where_libvirt_says_it() -> None:
    expanded = host().expanded_cpu(domain("<cpu mode='host-model'/>"))
    assert expanded is not None and expanded.findtext("model") == "EPYC"
    unsupported = Libvirt(told=Q35.replace("'host-model' supported='yes'", "'host-model' supported='no'"))
    for libvirt, cpu in (
        (Libvirt(), custom()),
        (Libvirt(told=None), "<cpu mode='host-model'/>"),
        (unsupported, "<cpu mode='host-model'/>"),
    ):
        assert host(libvirt).expanded_cpu(domain(cpu)) is None


def test_a_mode_that_the_host_does_not_have_does_not_start() -> None:
    for mode in ("host-model", "host-passthrough", "maximum"):
        libvirt = Libvirt(told=Q35.replace(f"'{mode}' supported='yes'", f"'{mode}' supported='no'"))
        sentence = f"the host cannot give the CPU {mode} with qemu"
        assert of_cpu(libvirt, f"<cpu mode='{mode}'/>") == [("blocks", sentence)]
    no_custom = Libvirt(told=Q35.replace("'custom' supported='yes'", "'custom' supported='no'"))
    assert of_cpu(no_custom, custom()) == []


def test_a_cpu_that_follows_the_host_is_named() -> None:
    libvirt = Libvirt(told=Q35.replace(*ANYWHERE), lacked=("avx",))
    assert of_cpu(libvirt, "<cpu mode='host-passthrough'/>") == [
        ("note", "the CPU is the host's own (host-passthrough): it follows its processor, microcode and QEMU")
    ]
    assert of_cpu(libvirt, "<cpu mode='maximum'/>") == [
        ("unknown", "the CPU is all that QEMU offers (maximum): it follows QEMU, and no document says what it is")
    ]


def test_a_cpu_that_may_be_more_is_unknown_and_what_the_guest_loses_is_told() -> None:
    follows = ("unknown", "the CPU has match='minimum': it follows what the host has beyond its model")
    lacks = Libvirt(lacked=("avx", "vme"))
    for before, lost in ((None, []), (custom(inner=feature("vme", "disable")), [("changes", "the CPU loses avx")])):
        assert of_cpu(lacks, custom(match="minimum"), before) == [follows, *lost]
    assert of_cpu(Libvirt(), custom(match="minimum"), custom()) == [follows]
    why = ("unknown", "libvirt cannot compare the CPU: it is unwell")
    assert of_cpu(Libvirt(unknown=("EPYC",), why="it is unwell"), custom(match="minimum"), custom()) == [follows, why]


def model_of_host(*less: str, model: str = "EPYC") -> str:
    """The CPU that host-model is here, without these features."""
    expanded = host().expanded_cpu(domain("<cpu mode='host-model'/>"))
    assert expanded is not None
    for node in expanded.findall("feature"):
        if node.get("name") in less:
            expanded.remove(node)
    (named,) = expanded.findall("model")
    named.text = model
    return serialize(expanded)


def test_host_model_is_compared_with_what_the_guest_had() -> None:
    libvirt, cpu = Libvirt(lacked=("avx",)), "<cpu mode='host-model'/>"
    assert of_cpu(libvirt, cpu) == [("unknown", "host-model becomes EPYC; which CPU the guest had before is not known")]
    assert of_cpu(libvirt, cpu, model_of_host()) == []
    gains = ("changes", "host-model is expanded anew: the CPU gains pcommit, clwb")
    assert of_cpu(libvirt, cpu, model_of_host("pcommit", "clwb")) == [gains]
    becomes = ("changes", "host-model is expanded anew: the CPU becomes EPYC, was Other")
    assert of_cpu(libvirt, cpu, model_of_host(model="Other")) == [becomes, ("changes", "the CPU loses avx")]


def test_two_names_of_one_model_are_one() -> None:
    named = Q35.replace("vendor='AMD'>phenom<", "vendor='AMD' canonical='EPYC'>EPYC-v1<")
    cpu = "<cpu mode='host-model'/>"
    assert of_cpu(Libvirt(told=named, lacked=("avx",)), cpu, model_of_host(model="EPYC-v1")) == []
    gains = ("changes", "host-model is expanded anew: the CPU gains clwb")
    assert of_cpu(Libvirt(told=named, lacked=("avx",)), cpu, model_of_host("clwb", model="EPYC-v1")) == [gains]
