"""What ``plan host`` foretells for a newer host, beside what a real define and start there gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.known_changes import KNOWN_CHANGES, known_changes, oddities
from holdfast.errors import LibvirtRefused
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.host.capabilities import host_versions
from holdfast.operations.look.plan_host import plan_host
from tests.corpus import CORPUS
from tests.hosts.test_false_alarms import DEFINED, REFUSED
from tests.libvirt.domains import domain_xml

CPUS = (
    "cpu-host-model",
    "cpu-host-model-with-features",
    "cpu-EPYC",
    "cpu-Skylake-Server",
    "cpu-core2duo",
    "cpu-custom-partial",
    "cpu-features",
    "cpu-topology",
    "q35-nothing-chosen",
)
OVMF = "/usr/share/OVMF/OVMF_CODE{}.fd"
TWO_MEGABYTES, FOUR_MEGABYTES = OVMF.format(""), OVMF.format("_4M")

BY_VERSION = {known.part for known in KNOWN_CHANGES}
"""The parts of outlooks that tell what only versions change; nothing else of these domains has such a part."""

WITHOUT_VFIO = "the host has no hand-through of devices by vfio"
"""What is true of a host without an IOMMU; no test starts a domain with a device of the host."""


def foretold(older: Connection, newer: Connection, name: str) -> dict[str, list[str]]:
    """Effect → the sentences of the plan for one domain, without what only the versions tell, and of every BIOS."""
    (plan,) = plan_host(older, newer, [name])
    sentences: dict[str, list[str]] = {}
    for outlook in plan.outlooks:
        if outlook.part not in BY_VERSION and "the BIOS comes with QEMU" not in str(outlook):
            sentences.setdefault(outlook.effect, []).append(str(outlook))
    return sentences


def with_firmware(loader: str, folder: Path) -> str:
    """A domain with a UEFI that is named."""
    nvram = f"<nvram template='{loader.replace('CODE', 'VARS')}'>{folder}/nvram</nvram>"
    return domain_xml().replace("</os>", f"<loader readonly='yes' type='pflash'>{loader}</loader>{nvram}</os>")


def arrived(newer: Connection, domain: Domain) -> Domain:
    """The domain as an upgrade of its host, or a move, would bring it there."""
    return newer.define(domain.xml(Definition.CONFIG))


def test_what_does_not_start_is_exactly_what_is_refused_there(
    older: Connection, elsewhere: Connection, folder: Path
) -> None:
    """That these are refused there, and all others start, is for the test of false alarms."""
    for sample in DEFINED:
        older.define(sample.document(folder))
    plans = list(plan_host(older, elsewhere))
    blocked = {
        plan.name: [str(each) for each in plan.outlooks if each.stops and each.reason != WITHOUT_VFIO] for plan in plans
    }
    assert len(plans) == len(DEFINED)
    foreign = {
        sample.name for sample in DEFINED if sample.arch not in ("x86_64", "i686")
    }  # that host has no QEMU for it
    assert all("cannot run domains of this kind" in blocked[name][0] for name in foreign)
    assert {name: sentences for name, sentences in blocked.items() if sentences and name not in foreign} == {
        "machine-pc-i440fx-2.0": [
            "the host has no machine type pc-i440fx-2.0; the newest of its family is pc-i440fx-10.0"
        ],
        "machine-microvm": ["the host has no PS/2 controller"],
    }
    assert set(REFUSED) < {name for name, sentences in blocked.items() if sentences}
    deprecated = {plan.name for plan in plans if any("deprecated" in str(outlook) for outlook in plan.outlooks)}
    assert {"machine-pc-q35-2.4", "machine-pc-i440fx-6.0"} <= deprecated
    assert not {"machine-pc-q35-7.2", "q35-nothing-chosen"} & deprecated


@pytest.mark.parametrize("name", CPUS)
def test_the_cpu_changes_as_foretold(
    older: Connection, newer: Connection, elsewhere: Connection, folder: Path, name: str
) -> None:
    """Both for a running domain and for one of which nobody knows what its guest had."""
    domain = older.define(CORPUS[name].document(folder))
    domain.start(paused=True)
    before = domain.xml(Definition.LIVE)
    running = foretold(older, elsewhere, name)
    domain.destroy()
    shut_off = foretold(older, elsewhere, name)
    there = arrived(newer, domain)
    there.start(paused=True)
    happened = _features(visible(compare(before, there.xml(Definition.LIVE))))
    for said in (running, shut_off):
        assert "blocks" not in said
        assert _foretold_features(said.get("changes", [])) == happened


def _features(changes: list[Change]) -> dict[str, set[str]]:
    """The CPU features that the guest "gains" and "loses"; nothing else may have changed."""
    found: dict[str, set[str]] = {"gains": set(), "loses": set()}
    for change in changes:
        assert change.where.startswith("cpu/feature["), str(change)
        came = change.after == "require" or change.before == "disable"
        found["gains" if came else "loses"].add(change.where.partition("[")[2].partition("]")[0])
    # With several CPUs QEMU has always told the guest of ht; in 10.0 the feature says so too.
    found["gains"].discard("ht")
    return found


def _foretold_features(sentences: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"gains": set(), "loses": set()}
    for sentence in sentences:
        for part in sentence.partition("the CPU ")[2].split(" and "):
            verb, _, names = part.partition(" ")
            found[verb] |= set(names.split(", "))
    return found


def test_a_host_that_gives_what_no_other_version_gives_is_told_of_once(older: Connection, newer: Connection) -> None:
    for name in ("a", "b"):
        newer.define(domain_xml(name))
        older.define(domain_xml(name))
    told = list(oddities(host_versions(newer)))
    assert len(told) == 1 and told[0] in operations.audit_host(newer).notes
    assert not any("queues" in note for note in operations.audit_host(older).notes)


def test_a_sealed_cpu_that_the_newer_qemu_cannot_give_does_not_start(
    older: Connection, newer: Connection, elsewhere: Connection, folder: Path
) -> None:
    """TCG of QEMU 10.0 has no pcommit, which host-model of 7.2 held."""
    domain = older.define(CORPUS["cpu-host-model"].document(folder))
    operations.seal_domain(older, domain.name)
    assert foretold(older, elsewhere, domain.name)["blocks"] == ["the host lacks CPU features: pcommit"]
    with pytest.raises(LibvirtRefused, match="pcommit"):
        arrived(newer, domain).start(paused=True)


def test_firmware_of_another_host_is_looked_up_in_what_its_libvirt_lists(
    older: Connection, elsewhere: Connection, tmp_path: Path
) -> None:
    for loader, words in (
        (TWO_MEGABYTES, f"{TWO_MEGABYTES} is not among the firmware that libvirt lists, and cannot be looked for"),
        (FOUR_MEGABYTES, f"{FOUR_MEGABYTES} exists; its content cannot be read from here"),
    ):
        domain = older.define(with_firmware(loader, tmp_path))
        (sentence,) = foretold(older, elsewhere, "a")["unknown"]
        assert sentence.startswith(words)
        domain.undefine()


def test_firmware_that_an_upgrade_took_away_or_changed_is_foretold(
    older: Connection, newer: Connection, newer_uri: str, system: Path, tmp_path: Path
) -> None:
    """Debian 13 has no firmware of 2 MiB; that of 4 MiB is another build than the one the guest started with."""
    domain = older.define(with_firmware(TWO_MEGABYTES, tmp_path))
    there = arrived(newer, domain)
    (missing,) = _plan_on_the_upgraded_host(newer_uri, system)
    assert missing.startswith(f"blocks there is no firmware file {TWO_MEGABYTES} (the host has ")
    with pytest.raises(LibvirtRefused, match=r"OVMF_VARS\.fd"):
        there.start(paused=True)
    for each in (domain, there):
        each.undefine()

    domain = older.define(with_firmware(FOUR_MEGABYTES, tmp_path))
    operations.adopt_domain(older, "a")
    operations.start(older, "a", paused=True)
    domain.destroy()
    there = arrived(newer, domain)
    assert _plan_on_the_upgraded_host(newer_uri, system) == [
        f"changes {FOUR_MEGABYTES} is another build than at the last start"
    ]
    there.start(paused=True)
    assert visible(compare(domain.xml(Definition.CONFIG), there.xml(Definition.LIVE))) == []


def _plan_on_the_upgraded_host(uri: str, system: Path) -> list[str]:
    """``holdfast plan host`` for domain "a" where /usr/share holds the newer system's firmware."""
    shared = ("/usr/share/OVMF", "/usr/share/qemu")
    mounts = " && ".join(f"mount --bind {system}{path} {path}" for path in shared)
    command = [sys.executable, "-m", "holdfast", "-c", uri, "plan", "host", "-d", "a", "-o", "json"]
    run = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh", *command], capture_output=True, text=True
    )
    (plan,) = json.loads(run.stdout)["domains"]
    assert (run.returncode, plan["differs"]) == (3, True), run.stdout + run.stderr
    rest = [outlook for outlook in plan["outlooks"] if outlook["part"] not in BY_VERSION]
    return [f"{outlook['effect']} {outlook['sentence']}" for outlook in rest]


def test_what_only_the_versions_change_is_foretold(
    older: Connection, newer: Connection, newest: Connection, folder: Path
) -> None:
    """Each from the versions of the two hosts, as far as nobody has recorded how the guest was started."""
    older.define(CORPUS["disk-virtio"].document(folder))
    (domain,) = older.domains()
    config = parse(domain.xml(Definition.CONFIG))
    for there in (newer, newest):
        (plan,) = plan_host(older, there)
        expected = [str(each) for each in known_changes(config, host_versions(older), host_versions(there))]
        assert [str(outlook) for outlook in plan.outlooks if outlook.part in BY_VERSION] == expected != []
