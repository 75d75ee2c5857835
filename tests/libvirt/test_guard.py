"""The guard: nobody asked for it, nobody gets it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from holdfast.cli import hints
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Creating, Started
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.metadata import fact
from holdfast.errors import guard
from holdfast.errors.changes import WOULD_NOT_START
from holdfast.errors.devices import NOT_RELEASED_PAUSED
from holdfast.errors.domains import UNFINISHED
from holdfast.errors.firmware import STATE_GONE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import destroy, reboot, start
from holdfast.operations.devices.attach import attach_device
from holdfast.operations.devices.detach import detach_device
from holdfast.operations.domain.adopt import adopt_domain
from holdfast.operations.domain.create import create_domain
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.facts import record_fact
from holdfast.operations.guard import ColdStart, look_before_start, refuse_unasked, refuse_unstartable
from holdfast.operations.look.plan_reboot import plan_reboot
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places, running
from tests.raising import raising

HOST_MODEL = "</features><cpu mode='host-model'/>"


def test_hard_reboot_into_changed_hardware_is_refused(uri: str, connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"), config_only=True)
    before = domain.xml(LIVE)
    with raising(guard.UNASKED_AT_START, name="a", changes="disk vda is added at pci 0000:02:00.0") as refused:
        reboot(connection, "a", hard=True)
    assert "--accept" in hints.hint(refused.value)
    assert domain.xml(LIVE) == before
    assert "disk vda is added" in done(uri, "reboot", "a", "--hard", "--dry-run")
    assert domain.xml(LIVE) == before
    assert run(uri, "reboot", "a", "--hard").exit_code == 3
    assert "disk vda is added" in done(uri, "reboot", "a", "--hard", "--accept")
    assert "vda" in places(domain, LIVE)


def test_detached_device_that_waits_for_the_guest_was_asked_for(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    with raising(NOT_RELEASED_PAUSED):
        detach_device(connection, "a", "vda", timeout=0)
    assert any("vda is removed" in sentence for sentence in reboot(connection, "a", hard=True).sees)
    assert "vda" not in places(domain, LIVE)


def test_detached_device_without_a_name_of_its_own_was_asked_for_too(connection: Connection) -> None:
    running(connection, extra="<rng model='virtio'><backend model='builtin'/></rng>")
    with raising(NOT_RELEASED_PAUSED):
        detach_device(connection, "a", "rng", timeout=0)
    change = reboot(connection, "a", hard=True)
    assert [str(each) for each in change.changes] == ["rng is removed, it was at pci 0000:02:00.0"]


def test_virsh_removing_a_device_from_config_was_not_asked_for(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection)
    attach_device(connection, "a", disk_xml(tmp_path, "one"))
    domain.detach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    with raising(guard.UNASKED_AT_START, name="a", changes="disk vda is removed, it was at pci 0000:02:00.0"):
        reboot(connection, "a", hard=True)
    assert "vda" in places(domain, LIVE)


def test_unchanged_domain_reboots_without_a_word(connection: Connection) -> None:
    running(connection)
    assert reboot(connection, "a", hard=True).sees == ()


def test_start_records_what_an_adopted_guest_was_given(connection: Connection) -> None:
    domain = connection.define(domain_xml().replace("<os>", "<os firmware='efi'>").replace("</features>", HOST_MODEL))
    adopt_domain(connection, "a")
    start(connection, "a", paused=True)
    live = parse(domain.xml(LIVE))
    started = fact(parse(domain.xml(CONFIG)), Started)
    assert started is not None
    loader = Path(live.findtext("os/loader") or "")
    assert started.firmware == hashlib.sha256(loader.read_bytes()).hexdigest()
    assert parse(started.cpu).findtext("model") == live.findtext("cpu/model")


def test_document_of_a_created_domain_stays_the_same_to_the_byte(connection: Connection) -> None:
    create_domain(connection, "a", DomainSpec(memory=64 << 20, graphics="none"), start=True)
    domain = connection.find_domain("a")
    before = domain.xml(CONFIG)
    assert "<holdfast:started" in before
    reboot(connection, "a", hard=True)
    assert domain.xml(CONFIG) == before
    domain.destroy()
    start(connection, "a")
    assert domain.xml(CONFIG) == before


def test_domain_that_was_never_adopted_gets_no_record(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    start(connection, "a", paused=True)
    assert "metadata" not in domain.xml(CONFIG)


def test_another_cpu_and_firmware_than_at_the_last_start_are_reported_and_not_refused(connection: Connection) -> None:
    domain = connection.define(domain_xml().replace("<os>", "<os firmware='efi'>").replace("</features>", HOST_MODEL))
    adopt_domain(connection, "a")
    start(connection, "a", paused=True)
    started = fact(parse(domain.xml(CONFIG)), Started)
    assert started is not None
    domain.destroy()
    assert start(connection, "a", paused=True).sees == ()
    poorer = started.cpu.replace('name="umip" policy="require"', 'name="umip" policy="disable"')
    record_fact(looking(connection, domain.uuid), Started(poorer, started.firmware), CONFIG)
    assert look_before_start(looking(connection, "a")).sees == (), "live tells which CPU it has"
    domain.destroy()
    record_fact(looking(connection, domain.uuid), Started(poorer, "0" * 64))
    changes = start(connection, "a", paused=True).sees
    assert any("umip" in sentence for sentence in changes)
    assert any("another build" in sentence for sentence in changes)


def test_start_by_somebody_else_makes_the_record_stale_until_holdfast_stops_the_domain(connection: Connection) -> None:
    domain = connection.define(domain_xml().replace("<os>", "<os firmware='efi'>").replace("</features>", HOST_MODEL))
    adopt_domain(connection, "a")
    start(connection, "a", paused=True)
    ours = fact(parse(domain.xml(CONFIG)), Started)
    assert ours is not None
    domain.destroy()
    record_fact(looking(connection, domain.uuid), Started("<cpu><model>pentium</model></cpu>", "0" * 64))
    domain.start(paused=True)
    said = " ".join(map(str, plan_reboot(connection, "a").outlooks))
    assert "another build" not in said
    assert "which build of" in said and "is not known" in said
    destroy(connection, "a")
    assert fact(parse(domain.xml(CONFIG)), Started) == Started(ours.cpu, "")
    assert not any("CPU" in sentence for sentence in start(connection, "a", paused=True).sees)


def test_restored_domain_keeps_the_record_of_the_start_that_it_was_saved_after(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    adopt_domain(connection, "a")
    start(connection, "a", paused=True)
    record_fact(looking(connection, domain.uuid), Started("<cpu><model>pentium</model></cpu>", "1" * 64), CONFIG)
    domain._handle.managedSave(0)
    assert start(connection, "a", paused=True).restored
    assert fact(parse(domain.xml(CONFIG)), Started) == Started("<cpu><model>pentium</model></cpu>", "1" * 64)


def test_what_nobody_asked_for_is_refused_with_all_else_that_is_in_the_way() -> None:
    one, other = (
        "<domain type='qemu'><title>{}</title><vcpu>{}</vcpu></domain>".format(*each) for each in ("a1", "b2")
    )
    differing = compare(one, other)
    assert len(differing) == 2, "the title is cosmetic"
    refuse_unasked("a", [])
    refuse_unasked("a", differing, lambda change: change.what == "vcpu")
    with raising(guard.UNASKED) as refused:
        refuse_unasked("a", differing, also=["b is in the way"])
    assert refused.value.fields == {"name": "a", "changes": ["vcpu is 2, was 1", "b is in the way"]}


def test_what_the_host_lacks_keeps_a_guest_from_being_switched_off_for_a_start(connection: Connection) -> None:
    domain = running(connection)
    lack = "the network quiet is not there"
    outlook = Outlook(Effect.BLOCKS, "host", lack)
    with raising(guard.UNASKED_AT_START, name="a", changes=[lack]):
        look_before_start(looking(connection, "a"), missing=[lack])
    assert look_before_start(looking(connection, "a"), missing=[lack], accept=True) == ColdStart(outlooks=(outlook,))
    assert look_before_start(looking(connection, "a"), missing=[lack], dry_run=True) == ColdStart(outlooks=(outlook,))
    domain.destroy()
    assert look_before_start(looking(connection, "a"), missing=[lack]) == ColdStart(outlooks=(outlook,))


def test_a_start_that_was_begun_by_a_create_is_not_looked_at(connection: Connection) -> None:
    connection.define(domain_xml())
    record_fact(looking(connection, "a"), Creating("2026-01-01T00:00:00+00:00"))
    with raising(UNFINISHED):
        look_before_start(looking(connection, "a"))


def test_nothing_waits_for_a_domain_without_config(connection: Connection) -> None:
    running(connection).undefine()
    assert look_before_start(looking(connection, "a"), missing=["all"]) == ColdStart()


def test_a_change_after_which_the_domain_would_not_start_is_refused_and_one_that_keeps_it_so_is_not(
    connection: Connection,
) -> None:
    connection.define(domain_xml())
    nic = "<interface type='bridge'><source bridge='hf-none'/><model type='virtio'/></interface>"
    good, bad = parse(domain_xml()), parse(domain_xml(extra=nic))
    domain = looking(connection, "a")
    with raising(WOULD_NOT_START, what="another bridge", name="a", reasons="interface: the host has no bridge hf-none"):
        refuse_unstartable(domain, good, bad, "another bridge")
    refuse_unstartable(domain, bad, bad, "the same bridge")
    refuse_unstartable(domain, bad, good, "no bridge")


def with_nvram(connection: Connection, nvram: Path) -> Domain:
    """A domain that is off, and whose NVRAM was recorded at a start."""
    code, variables = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
    firmware = f"<loader readonly='yes' type='pflash'>{code}</loader><nvram template='{variables}'>{nvram}</nvram>"
    domain = connection.define(domain_xml().replace("</os>", f"{firmware}</os>"))
    adopt_domain(connection, "a")
    start(connection, "a", paused=True)
    destroy(connection, "a")
    return domain


@pytest.mark.parametrize("runs", [False, True])
def test_lost_state_is_looked_at_before_a_start_and_lists_or_stops_it(
    connection: Connection, tmp_path: Path, runs: bool
) -> None:
    nvram = tmp_path / "a.fd"
    domain = with_nvram(connection, nvram)
    assert look_before_start(looking(connection, "a")) == ColdStart()
    if runs:
        domain.start(paused=True)
    nvram.unlink()
    for accept in (False, True):
        with raising(STATE_GONE, name="a", lost=f"its NVRAM {nvram}"):
            look_before_start(looking(connection, "a"), accept=accept)
    (listed,) = look_before_start(looking(connection, "a"), dry_run=True).sees
    assert listed.endswith("is gone")
    (allowed,) = look_before_start(looking(connection, "a"), fresh={"nvram"}).sees
    assert allowed.endswith("is gone, and is made anew")


def test_state_that_others_let_be_made_anew_changes_the_next_start_and_not_what_a_guest_has(
    connection: Connection, tmp_path: Path
) -> None:
    nvram = tmp_path / "a.fd"
    domain = with_nvram(connection, nvram)
    nvram.unlink()
    domain.start(paused=True)
    assert look_before_start(looking(connection, "a")).sees == ()
    domain.destroy()
    (told,) = look_before_start(looking(connection, "a")).sees
    assert "is not the file of its last recorded start" in told


def test_what_cannot_be_seen_or_read_is_noted(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvram = tmp_path / "a.fd"
    with_nvram(connection, nvram)
    record_fact(looking(connection, "a"), Started("<cpu", ""), CONFIG)
    nvram.unlink()
    monkeypatch.setattr(type(connection), "is_local", False)
    cold_start = look_before_start(looking(connection, "a"))
    assert not cold_start.sees
    garbled, unseen = cold_start.notes
    assert garbled.startswith("<holdfast:started> in its metadata cannot be read: cpu=")
    assert unseen.endswith("is there cannot be seen from here")
