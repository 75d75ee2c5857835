"""A CPU with a model: what of it the host lacks, what it has besides, and what the guest had."""

from __future__ import annotations

from tests.xml.outlook.told import Q35, UNKNOWN, Libvirt, custom, domain, feature, host, of_cpu

from holdfast.domainxml.document import canonical, parse
from holdfast.domainxml.host.outlook import Effect
from holdfast.domainxml.platform import Platform


def test_of_a_cpu_without_a_model_nothing_is_asked() -> None:
    for cpu in ("", "<cpu/>", "<cpu><topology sockets='1' cores='1' threads='1'/></cpu>"):
        libvirt = Libvirt(lacked=("avx",))
        assert of_cpu(libvirt, cpu) == []
        assert len(libvirt.asked) == 2


def test_what_a_later_qemu_or_this_host_may_not_have_is_noted() -> None:
    old = Libvirt(told=Q35.replace("vendor='AMD'>phenom<", "vendor='AMD' deprecated='yes'>phenom<"))
    optional = feature("avx", "optional") + feature("vme", "optional") + feature("ss")
    assert of_cpu(old, custom("phenom", inner=optional)) == [
        ("note", "the CPU model phenom is deprecated: a later QEMU will not have it"),
        ("note", "these CPU features depend on the host (optional): avx, vme"),
    ]
    assert of_cpu(old, custom("pentium")) == []


def test_a_cpu_that_the_host_lacks_or_that_forbids_what_it_has_does_not_start() -> None:
    libvirt = Libvirt(lacked=("avx", "vme"), has=("svm", "lahf"))
    lacks = ("blocks", "the host lacks CPU features: avx, vme")
    assert of_cpu(libvirt, custom(inner=feature("svm", "forbid"))) == [lacks]
    rest = feature("avx", "disable") + feature("vme", "forbid")
    forbids = "the host has CPU features that the domain forbids"
    assert of_cpu(libvirt, custom(inner=rest)) == []
    both = rest + feature("svm", "forbid") + feature("lahf", "forbid")
    assert of_cpu(libvirt, custom(inner=both)) == [("blocks", f"{forbids}: svm, lahf")]
    assert of_cpu(libvirt, custom(inner=rest, match="strict")) == [("blocks", f"{forbids}: svm, lahf")]


def test_a_feature_that_a_domain_has_if_it_asks_for_it_is_not_lacked() -> None:
    cases: list[tuple[Libvirt, list[str]]] = [
        (Libvirt(version=(12, 5, 0), possible=("avx",)), ["vme"]),
        (Libvirt(version=(12, 4, 9), possible=("avx",)), ["avx", "vme"]),
        (Libvirt(version=(12, 5, 0), possible=None), ["avx", "vme"]),
    ]
    for libvirt, lacked in cases:
        libvirt.lacked = ("avx", "vme")
        assert of_cpu(libvirt, custom()) == [("blocks", f"the host lacks CPU features: {', '.join(lacked)}")]
        asked = ("", "x86_64", "pc-q35-7.2", "qemu", True)
        assert libvirt.asked.count(asked) == (libvirt.version >= (12, 5, 0))
    readonly = Libvirt(version=(12, 5, 0), possible=("avx",), lacked=("avx",), readonly=True)
    assert host(readonly).cpus.lacking(parse(custom()), Platform()) == ["avx"]


def test_a_cpu_that_libvirt_cannot_compare() -> None:
    why = "internal error: Unknown CPU model NoSuch"
    assert of_cpu(Libvirt(unknown=("NoSuch",), why=why), custom("NoSuch")) == [
        ("blocks", "libvirt cannot give the CPU NoSuch: Unknown CPU model NoSuch")
    ]
    why = "unsupported: internal error: unknown cpu feature x"
    assert of_cpu(Libvirt(unknown=("x",), why=why), custom(inner=feature("x"))) == [
        ("blocks", f"libvirt cannot give the CPU EPYC: {why}")
    ]
    cannot = Libvirt(unknown=("phenom", "pentium", "none"), why="no such driver")
    assert of_cpu(cannot, custom("phenom")) == [("blocks", "the host cannot run the CPU model phenom")]
    for model in ("pentium", "none"):
        assert of_cpu(cannot, custom(model)) == [("unknown", "libvirt cannot compare the CPU: no such driver")]
        assert of_cpu(cannot, custom(model, check="none")) == of_cpu(cannot, custom(model))


def test_a_cpu_that_may_lack_features_where_nobody_knows_what_the_guest_had() -> None:
    libvirt, cpu = Libvirt(lacked=("avx", "vme")), custom(check="none")
    sentence = "the host lacks avx, vme of EPYC; whether the guest had them before is not known"
    assert of_cpu(libvirt, cpu) == of_cpu(libvirt, cpu, custom("Other")) == [("unknown", sentence)]
    assert of_cpu(Libvirt(), cpu) == of_cpu(Libvirt(), cpu, custom("Other")) == []
    unknowing = Libvirt(unknown=("EPYC",))
    assert of_cpu(libvirt, cpu, origin=unknowing) == [("unknown", sentence)]


def test_a_cpu_that_may_lack_features_is_compared_with_what_the_guest_had() -> None:
    libvirt, cpu = Libvirt(lacked=("avx", "vme")), custom(check="none")
    assert of_cpu(libvirt, cpu, custom()) == [("changes", "the CPU loses avx, vme")]
    assert of_cpu(libvirt, cpu, custom(inner=feature("vme", "disable"))) == [("changes", "the CPU loses avx")]
    had_none = custom(inner=feature("vme", "disable") + feature("avx", "disable"))
    assert of_cpu(libvirt, cpu, had_none) == []
    unknowing = Libvirt(unknown=("EPYC",))
    assert of_cpu(libvirt, cpu, custom(), origin=unknowing) == [("changes", "the CPU loses avx, vme")]


def test_a_cpu_that_may_lack_features_is_compared_with_what_the_other_host_gives() -> None:
    cpu = custom(check="none", inner=feature("ss"))
    here, there = Libvirt(lacked=("avx", "vme")), Libvirt(lacked=("vme", "sha", "aes"))
    both = [("changes", "the CPU gains sha, aes and loses avx")]
    assert of_cpu(here, cpu, origin=there) == both
    had = custom(inner=feature("vme", "disable"))
    assert of_cpu(here, cpu, had, origin=there) == both
    assert of_cpu(there, cpu, origin=there) == []
    assert of_cpu(here, custom(check="none", inner=feature("avx", "disable")), origin=Libvirt()) == [
        ("changes", "the CPU loses vme")
    ]


def test_what_another_libvirt_has_in_a_model_and_this_host_has_not_is_neither_gained_nor_lost() -> None:
    """A model has more features in one libvirt than in another: one that it has not is then asked for by name."""
    cpu = custom(check="none")
    here, there = Libvirt(lacked=("avx",)), Libvirt(lacked=("avx", "sha"), beyond=("avx",))
    assert of_cpu(here, cpu, origin=there) == [("changes", "the CPU gains sha")]
    here, there = Libvirt(lacked=("sha",), beyond=("sha",)), Libvirt(lacked=("sha", "avx"))
    assert of_cpu(here, cpu, origin=there) == [("changes", "the CPU gains avx")]
    knows_less = Libvirt(unknown=("sha",))
    assert of_cpu(knows_less, cpu, origin=Libvirt(lacked=("sha",))) == []


def test_a_feature_that_the_cpu_names_is_asked_for_as_it_is_named() -> None:
    here = host(Libvirt(lacked=("avx",)))
    cpu = parse(custom(inner=feature("avx", "disable")))
    before = canonical(cpu)
    assert here.cpus.available(["avx", "sha"], cpu, Platform()) == ["avx", "sha"]
    assert here.cpus.available(["avx", "sha"], parse(custom()), Platform()) == ["sha"]
    assert canonical(cpu) == before
    libvirt = Libvirt()
    assert host(libvirt).cpus.available([], cpu, Platform()) == [] == libvirt.asked


def test_this_host_before_an_upgrade_is_no_host_to_ask() -> None:
    libvirt = Libvirt(lacked=("avx",))
    same = host(libvirt)
    (unknown, _) = same.hardware(domain(custom(check="none")), UNKNOWN, same)
    assert unknown.effect is Effect.UNKNOWN and "avx of EPYC" in unknown.sentence
