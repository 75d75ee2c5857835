"""NVRAM and TPM state that is lost stops the next start: every kind of it, and every verb that starts a domain."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import SeenState
from holdfast.domainxml.host.outlook import Effect
from holdfast.domainxml.host.state_files import StateKind
from holdfast.domainxml.metadata import facts
from holdfast.errors.firmware import STATE_GONE
from holdfast.errors.libvirt import REFUSED
from holdfast.errors.power import NOT_REPAIRED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, FindingKind, Outcome
from holdfast.operations.manager.foreign_start import record_start, refuse_start
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, image
from tests.libvirt.processes import crash
from tests.libvirt.state.states import CODE, SPEC, VARS, create, found, kinds, lose, place, started_once, uefi_xml
from tests.raising import raising

NAMED = {StateKind.NVRAM: "NVRAM", StateKind.TPM: "TPM state"}


def start(connection: Connection, _: Path, fresh: Collection[str]) -> object:
    return operations.start(connection, "a", paused=True, fresh=fresh)


def restore(connection: Connection, _: Path, fresh: Collection[str]) -> object:
    return operations.restore_domain(connection, "a", paused=True, fresh=fresh)


def reboot(connection: Connection, _: Path, fresh: Collection[str]) -> object:
    return operations.reboot(connection, "a", hard=True, accept=True, fresh=fresh)


def rescue(connection: Connection, folder: Path, fresh: Collection[str]) -> object:
    medium = DiskSpec(path=str(image(folder, "r")), format="raw")
    return operations.rescue(connection, "a", medium, accept=True, force=True, fresh=fresh)


def unrescue(connection: Connection, _: Path, fresh: Collection[str]) -> object:
    return operations.unrescue(connection, "a", start=True, fresh=fresh)


def is_saved(connection: Connection, _: Path) -> None:
    operations.start(connection, "a", paused=True)
    operations.save_domain(connection, "a")


def runs(connection: Connection, _: Path) -> None:
    operations.start(connection, "a", paused=True)


def is_in_rescue(connection: Connection, folder: Path) -> None:
    rescue(connection, folder, ())


Starting = Callable[[Connection, Path, Collection[str]], object]
VERBS: dict[str, tuple[Starting, Callable[[Connection, Path], None] | None]] = {
    "start": (start, None),
    "restore_domain": (restore, is_saved),
    "reboot": (reboot, runs),
    "rescue": (rescue, runs),
    "unrescue": (unrescue, is_in_rescue),
}
"""Every verb that starts a domain, and what is done before."""


def test_every_verb_that_can_be_told_to_begin_afresh_is_here() -> None:
    public = {name: getattr(operations, name) for name in dir(operations) if not name.startswith("_")}
    verbs = {name: each for name, each in public.items() if inspect.isfunction(each)}
    told = {name for name, each in verbs.items() if "fresh" in inspect.signature(each).parameters}
    made_here = {"adopt_domain", "evacuate", "import_domain", "restore_deleted", "rollback_domain"}
    assert told == {*VERBS, *made_here}


@kinds
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_lost_stops_every_start_until_a_new_one_is_asked_for(
    connection: Connection, tmp_path: Path, verb: str, kind: StateKind
) -> None:
    domain = started_once(connection)
    act, before = VERBS[verb]
    if before is not None:
        before(connection, tmp_path)
    path = place(connection, domain, kind)
    lose(path)
    state, documents = domain.state(), [domain.xml(each) for each in (LIVE, CONFIG)]
    others = {each for each in StateKind if each != kind}
    with raising(STATE_GONE, name="a", lost=f"its {NAMED[kind]} {path}", kinds=kind):
        act(connection, tmp_path, others)
    assert (domain.state(), [domain.xml(each) for each in (LIVE, CONFIG)]) == (state, documents)
    assert not path.exists()
    if verb != "restore_domain":  # libvirt itself does not continue without the state of then
        act(connection, tmp_path, {kind})
        assert domain.is_active()


@kinds
def test_what_is_lost_is_told_by_everything_that_looks(
    connection: Connection, uri: str, tmp_path: Path, kind: StateKind
) -> None:
    domain = started_once(connection)
    path = place(connection, domain, kind)
    assert "gone" not in done(uri, "plan", "reboot", "a")
    before = domain.xml(CONFIG)
    lose(path)
    blocks = [each for each in operations.plan_reboot(connection, "a").outlooks if each.effect is Effect.BLOCKS]
    assert [(each.part, str(path) in each.sentence) for each in blocks] == [(str(kind), True)]
    [plan] = operations.plan_host(connection)
    assert str(path) in " ".join(map(str, plan.outlooks))
    assert FindingKind.LOST_STATE in found(connection)
    why = f"its {NAMED[kind]} {path} is gone: put it back, or start the domain with a new one"
    with raising(NOT_REPAIRED, why=why):
        operations.repair_domain(connection, "a")
    assert str(path) in operations.repair_domain(connection, "a", dry_run=True).remains[0]
    file = tmp_path / "a.xml"
    file.write_text(before)
    for side in ("a", "a@config"):
        assert str(path) in done(uri, "diff", str(file), side)
        assert str(path) in json.loads(done(uri, "diff", side, str(file), "-o", "json"))["notes"][0]
    result = run(uri, "start", "a")
    assert (result.exit_code, f"--fresh-{kind}" in result.stderr) == (3, True)
    assert str(path) in done(uri, "start", "a", "--dry-run")
    assert f"start {connection.find_domain('a').name}" in run(uri, "start", "a").stderr
    done(uri, "start", "a", "--paused", f"--fresh-{kind}")
    assert path.exists()
    assert "gone" not in done(uri, "plan", "reboot", "a")


@pytest.mark.parametrize("template", [f" template='{VARS}'", ""], ids=["with a template", "without one"])
def test_a_named_nvram_that_is_lost_is_missed_wherever_it_was(
    connection: Connection, tmp_path: Path, template: str
) -> None:
    code, nvram = tmp_path / "CODE.fd", tmp_path / "nv_VARS.fd"
    shutil.copy(CODE, code)
    shutil.copy(VARS, nvram)
    document = uefi_xml("a", nvram).replace(CODE, str(code)).replace(f" template='{VARS}'", template)
    operations.create_domain_from_document(connection, document)
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    lose(nvram)
    with raising(STATE_GONE, lost=f"its NVRAM {nvram}"):
        operations.start(connection, "a")
    if template:
        operations.start(connection, "a", paused=True, fresh=["nvram"])
    else:  # nobody can make one
        with raising(REFUSED):
            operations.start(connection, "a", fresh=["nvram"])
    assert nvram.exists() is bool(template)


def test_a_lost_nvram_is_not_cloned_unless_the_clone_begins_afresh(connection: Connection) -> None:
    domain = started_once(connection)
    lose(place(connection, domain, StateKind.NVRAM))
    with raising(STATE_GONE, kinds="nvram"):
        operations.clone_domain(connection, "a", "b")
    assert [each.name for each in connection.domains()] == ["a"]
    operations.clone_domain(connection, "a", "b", fresh_nvram=True)


@kinds
def test_after_the_host_has_booted_a_domain_stays_off_whose_state_is_lost(
    connection: Connection, kind: StateKind
) -> None:
    domain = create(connection)
    operations.start(connection, "a", paused=True)
    crash(domain)
    lose(place(connection, domain, kind))
    [resumed] = operations.resume_host(connection)
    assert resumed.outcome is Outcome.FAILED
    assert resumed.error is not None
    assert resumed.error.code == "state-gone"
    assert not domain.is_active()


@kinds
def test_a_domain_that_was_never_started_is_never_stopped(connection: Connection, kind: StateKind) -> None:
    domain = create(connection)
    path = place(connection, domain, kind)
    assert not path.exists()
    notes = [each for each in operations.plan_reboot(connection, "a").outlooks if each.part == kind]
    assert [each.effect for each in notes] == [Effect.NOTE]
    assert FindingKind.LOST_STATE not in found(connection)
    operations.start(connection, "a", paused=True)
    assert path.exists()


def state_outlooks(connection: Connection) -> dict[str, Effect]:
    outlooks = operations.plan_reboot(connection, "a").outlooks
    return {each.part: each.effect for each in outlooks if each.part in ("nvram", "tpm")}


def test_what_a_libvirt_with_files_of_its_own_has_is_unknown(daemon: Connection) -> None:
    """It is in a mount namespace, as in a container."""
    operations.create_domain(daemon, "a", SPEC)
    unknown = {str(kind): Effect.UNKNOWN for kind in StateKind}
    assert state_outlooks(daemon) == unknown
    notes = operations.start(daemon, "a", paused=True).notes
    assert len([note for note in notes if "cannot be seen from here" in note]) == 2
    assert state_outlooks(daemon) == unknown
    assert not facts(parse(daemon.find_domain("a").xml(CONFIG)), SeenState)
    operations.destroy(daemon, "a")
    operations.start(daemon, "a", paused=True)


def test_what_was_seen_from_here_is_missed_behind_a_named_socket_too(daemon: Connection, tmp_path: Path) -> None:
    nvram = tmp_path / "vars.fd"
    domain = daemon.define(uefi_xml("a", nvram))
    domain.start(paused=True)
    operations.adopt_domain(daemon, "a")
    domain.destroy()
    lose(nvram)
    assert state_outlooks(daemon) == {"nvram": Effect.BLOCKS}
    with raising(STATE_GONE, lost=f"its NVRAM {nvram}"):
        operations.start(daemon, "a")


@kinds
def test_what_a_running_guest_has_and_nobody_sees_is_not_yet_to_be_made(
    connection: Connection, kind: StateKind
) -> None:
    domain = connection.define(create(connection).xml(CONFIG))
    assert state_outlooks(connection)[kind] is Effect.NOTE
    domain.start(paused=True)
    lose(place(connection, domain, kind))
    assert state_outlooks(connection)[kind] is Effect.UNKNOWN


def test_what_cannot_be_seen_is_said_and_stops_nothing(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = started_once(connection)
    before = facts(parse(domain.xml(CONFIG)), SeenState)
    assert {seen.kind for seen in before} == {"nvram", "tpm"}
    lose(place(connection, domain, StateKind.NVRAM))
    monkeypatch.setattr(type(connection), "is_local", False)
    unknown = [each for each in operations.plan_reboot(connection, "a").outlooks if each.effect is Effect.UNKNOWN]
    assert {each.part for each in unknown} >= {"nvram", "tpm"}
    started = operations.start(connection, "a", paused=True)
    assert len([note for note in started.notes if "cannot be seen" in note]) == 2
    assert facts(parse(domain.xml(CONFIG)), SeenState) == before
    assert "cannot be seen from here" in " ".join(operations.audit_host(connection).notes)


@kinds
def test_what_others_let_be_made_anew_is_told_afterwards(connection: Connection, uri: str, kind: StateKind) -> None:
    domain = started_once(connection)
    lose(place(connection, domain, kind))
    domain.start(paused=True)  # as virsh and libvirt's autostart do
    assert FindingKind.LOST_STATE in found(connection)
    operations.destroy(connection, "a")
    assert FindingKind.LOST_STATE in found(connection)
    assert "is not the file of its last recorded start" in done(uri, "start", "a", "--paused")
    assert FindingKind.LOST_STATE not in found(connection)
    operations.reboot(connection, "a", hard=True)
    assert FindingKind.LOST_STATE not in found(connection)


def test_a_file_that_is_written_to_stays_the_same_one(connection: Connection) -> None:
    domain = started_once(connection)
    nvram = place(connection, domain, StateKind.NVRAM)
    nvram.write_bytes(nvram.read_bytes()[:-4] + b"boot")
    assert found(connection) == set()


def test_no_nvram_and_no_template_to_make_it_from_is_told_beforehand(connection: Connection, tmp_path: Path) -> None:
    code = tmp_path / "CODE.fd"
    shutil.copy(CODE, code)
    document = uefi_xml("a", tmp_path / "vars.fd").replace(CODE, str(code)).replace(f" template='{VARS}'", "")
    connection.define(document)
    blocks = [each for each in operations.plan_reboot(connection, "a").outlooks if each.effect is Effect.BLOCKS]
    assert len(blocks) == 1
    assert "no template" in str(blocks[0])
    shutil.copy(VARS, tmp_path / "vars.fd")
    assert not operations.plan_reboot(connection, "a").differs
    operations.start(connection, "a", paused=True)


@contextmanager
def watched(uri: str) -> Iterator[Callable[[str], str]]:
    """A watch that looks every moment; gives what returns the first notice with these words."""
    watching = operations.watch([uri], interval=0.1)
    next(watching)
    try:
        yield lambda words: next(each.sentence for each in watching if words in each.sentence)
    finally:
        watching.close()


@kinds
def test_watch_tells_what_goes_and_what_is_made_anew(connection: Connection, uri: str, kind: StateKind) -> None:
    domain = started_once(connection)
    path = place(connection, domain, kind)
    with watched(uri) as until:
        lose(path)
        assert str(path) in until("is gone")
        domain.start(paused=True)
        assert str(path) in until("is another file than before")


def test_adopting_a_running_domain_records_what_it_has(connection: Connection, tmp_path: Path) -> None:
    nvram = tmp_path / "vars.fd"
    domain = connection.define(uefi_xml("a", nvram))
    domain.start(paused=True)
    operations.adopt_domain(connection, "a")
    domain.destroy()
    lose(nvram)
    with raising(STATE_GONE):
        operations.start(connection, "a")
    domain.start(paused=True)
    operations.adopt_domain(connection, "a")
    assert FindingKind.LOST_STATE in found(connection)


@kinds
def test_what_is_lost_can_be_given_up_so_that_a_manager_starts_the_domain(
    connection: Connection, uri: str, kind: StateKind
) -> None:
    domain = started_once(connection)
    path = place(connection, domain, kind)
    option, other = f"--fresh-{kind}", next(f"--fresh-{each}" for each in StateKind if each != kind)
    before = domain.xml(CONFIG)
    assert str(path) not in done(uri, "adopt", "a", option)
    lose(path)
    done(uri, "adopt", "a", other)
    assert str(path) in done(uri, "adopt", "a", option, "--dry-run")
    assert domain.xml(CONFIG) == before
    with raising(STATE_GONE, lost=f"its {NAMED[kind]} {path}"):
        refuse_start(connection, domain.uuid)
    assert str(path) in done(uri, "adopt", "a", option)
    refuse_start(connection, domain.uuid)
    assert FindingKind.LOST_STATE not in found(connection)
    assert {seen.kind for seen in facts(parse(domain.xml(CONFIG)), SeenState)} == {*StateKind} - {kind}
    operations.start(connection, "a", paused=True)
    assert path.exists()


def test_state_is_given_up_of_named_domains_only(connection: Connection, uri: str) -> None:
    create(connection)
    assert run(uri, "adopt", "--all", "--fresh-nvram").exit_code == 2


def test_a_manager_that_starts_domains_itself_asks_before_and_records_after(connection: Connection) -> None:
    domain = create(connection)
    refuse_start(connection, domain.uuid)
    domain.start(paused=True)
    record_start(connection, domain.uuid)
    domain.destroy()
    lose(place(connection, domain, StateKind.TPM))
    with raising(STATE_GONE, kinds="tpm"):
        refuse_start(connection, domain.uuid)


def test_rescue_is_no_start_of_the_guest_for_a_manager_either(connection: Connection, tmp_path: Path) -> None:
    domain = started_once(connection)
    before = facts(parse(domain.xml(CONFIG)), SeenState)
    rescue(connection, tmp_path, ())
    record_start(connection, domain.uuid)
    assert facts(parse(domain.xml(CONFIG)), SeenState) == before
