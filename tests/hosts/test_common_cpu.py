"""``seal --cpu-for``: the best CPU that hosts with libvirts of three generations can all give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.host.cpu_model import host_model_cpu
from holdfast.domainxml.platform import Platform
from holdfast.errors import LibvirtRefused, NoConnection
from holdfast.errors.hosts import NO_COMMON_CPU
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.common_cpu import baseline_by
from holdfast.operations.host.capabilities import host_capabilities
from tests.corpus import CORPUS
from tests.hosts.test_plan_hosts import NOWHERE
from tests.libvirt.domains import CONFIG, LIVE
from tests.raising import raising

PLATFORM = Platform("", "x86_64", "pc-q35-7.2", "qemu")


def test_it_starts_on_each_of_them_and_is_the_same_cpu(
    older: Connection, newer: Connection, newest: Connection, folder: Path
) -> None:
    """Whichever of them is asked; QEMU 10.0 has no pcommit, and only the later ones know cmpccxadd."""
    name = "cpu-host-model"
    domain = older.define(CORPUS[name].document(folder))
    elsewhere = newest.define(domain.xml(CONFIG).replace("pc-q35-11.1", "pc-q35-7.2"))
    sealed = operations.seal_domain(older, name, cpu_for=[newer, newest])
    assert [str(change) for change in sealed.changes] == [
        "cpu: feature[pcommit] policy is no longer given (was require)"
    ]
    operations.seal_domain(newest, name, cpu_for=[older, newer])
    cpus = [parse(each.xml(CONFIG)).find("cpu") for each in (domain, elsewhere)]
    assert visible(compare(domain.xml(CONFIG), elsewhere.xml(CONFIG))) == []
    assert all(cpu is not None and cpu.findtext("model") == "EPYC" for cpu in cpus)
    elsewhere.undefine()
    live = []
    for host in (older, newer, newest):
        there = domain if host is older else host.define(domain.xml(CONFIG))
        there.start(paused=True)
        live.append(there.xml(LIVE))
        there.destroy()
    cpu = [visible(compare(live[0], each)) for each in live[1:]]
    assert not any(change.where.startswith("cpu") and "ht" not in change.where for each in cpu for change in each)
    assert operations.seal_domain(older, name, cpu_for=[newer, newest]).changes == ()


def test_a_guest_that_runs_has_it_after_its_next_start(older: Connection, newer: Connection, folder: Path) -> None:
    domain = older.define(CORPUS["cpu-host-model"].document(folder))
    domain.start(paused=True)
    before = domain.xml(LIVE)
    planned = operations.seal_domain(older, domain.name, cpu_for=[newer], dry_run=True)
    sealed = operations.seal_domain(older, domain.name, cpu_for=[newer])
    assert (planned.changes, planned.at_next_start) == (sealed.changes, sealed.at_next_start)
    assert len(sealed.changes) == 1 and sealed.at_next_start
    assert visible(compare(before, domain.xml(LIVE))) == []
    domain.destroy()
    domain.start(paused=True)
    cpus = [parse(each).find("cpu/feature[@name='pcommit']") for each in (before, domain.xml(LIVE))]
    assert [None if each is None else each.get("policy") for each in cpus] == ["require", None]


def test_a_libvirt_that_does_not_know_a_feature_leaves_it_out(older: Connection, newest: Connection) -> None:
    cpus = [host_model_cpu(host_capabilities(each, PLATFORM)) for each in (older, newest)]
    known = [cpu for cpu in cpus if cpu is not None]
    try:
        older.baseline_cpu([serialize(cpu) for cpu in known], *PLATFORM)
    except LibvirtRefused as error:
        assert "cmpccxadd" in error.message
    else:
        pytest.skip("this libvirt knows every feature of the newest")
    answers = [baseline_by(host, known, PLATFORM) for host in (older, newest)]
    features = [{(each.get("name"), each.get("policy")) for each in cpu.iterfind("feature")} for cpu in answers]
    assert features[0] == features[1]


def test_a_host_that_cannot_have_the_domain_is_named(older: Connection, newer: Connection, folder: Path) -> None:
    domain = older.define(CORPUS["machine-pc-i440fx-2.0"].document(folder))
    before = domain.xml(CONFIG)
    reason = f"{newer.uri}: the host has no machine type pc-i440fx-2.0"
    with raising(NO_COMMON_CPU, reasons=[reason]):
        operations.seal_domain(older, domain.name, cpu_for=[newer])
    assert domain.xml(CONFIG) == before


def test_on_the_command_line(older: Connection, older_uri: str, newer_uri: str, folder: Path) -> None:
    domain = older.define(CORPUS["cpu-host-model"].document(folder))
    before = domain.xml(CONFIG)
    command = [sys.executable, "-m", "holdfast", "-c", older_uri, "seal", domain.name, "--dry-run", "--cpu-for"]
    run = subprocess.run([*command, newer_uri], capture_output=True, text=True)
    assert run.returncode == 0 and "the guest will see: cpu: feature[pcommit]" in run.stdout
    assert subprocess.run([*command, NOWHERE], capture_output=True).returncode == NoConnection.exit_code
    assert domain.xml(CONFIG) == before
