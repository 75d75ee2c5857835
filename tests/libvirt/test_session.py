"""The session of an operation: what it refuses, what it asks libvirt for once, and what it tells if it breaks off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from holdfast import connect
from holdfast.domainxml import metadata
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.fact import Creating, Rescue, RunAgain
from holdfast.errors import Condition, HoldfastError, LibvirtRefused, domains
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.errors.creation import BAD_NAME
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import read, saved_memory_notes
from holdfast.operations.facts import forget_all, forget_fact, record_fact
from holdfast.operations.session import Need, OpenDomain, changing, looking, refuse_read_only
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, running
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.test_calls import counted
from tests.libvirt.unwritable import unwritable
from tests.raising import raising

NOW = "2026-01-01T00:00:00+00:00"
OTHERS = "urn:others"
PASSWORD = "<graphics type='vnc' passwd='hunter22'/>"


@pytest.fixture
def config_folder(uri: str) -> Path:
    """Where the embedded libvirt keeps its config documents."""
    return Path(parse_qs(urlsplit(uri).query)["root"][0], "etc/qemu")


def off(connection: Connection) -> None:
    connection.define(domain_xml())


def saved(connection: Connection) -> None:
    running(connection).managed_save()


def transient(connection: Connection) -> None:
    running(connection).undefine()


def in_rescue(connection: Connection) -> None:
    running(connection)
    record_fact(looking(connection, "a"), Rescue(NOW, "running", "disk vdb"), LIVE)


def being_created(connection: Connection) -> None:
    off(connection)
    record_fact(looking(connection, "a"), Creating(NOW))


CONDITIONS: dict[Callable[[Connection], object], dict[Need, Condition[HoldfastError]]] = {
    off: {Need.RUNNING: domains.NOT_RUNNING},
    running: {Need.OFF: domains.RUNNING},
    transient: {Need.OFF: domains.RUNNING, Need.CONFIG: domains.TRANSIENT},
    in_rescue: {Need.OFF: domains.RUNNING, Need.OWN_HARDWARE: domains.IN_RESCUE},
    being_created: {Need.RUNNING: domains.NOT_RUNNING, Need.WHOLE: domains.UNFINISHED},
}
"""What a domain can be → the needs that it does not meet, and what each is refused with."""


@pytest.mark.parametrize("make", CONDITIONS)
def test_an_operation_is_refused_what_the_domain_is_not_and_nothing_else(
    connection: Connection, make: Callable[[Connection], object]
) -> None:
    make(connection)
    for need in Need:
        condition = CONDITIONS[make].get(need)
        if condition is None:
            assert looking(connection, "a", needs=need).name == "a"
            continue
        since = {"since": NOW} if condition is domains.UNFINISHED else {}
        with raising(condition, name="a", **since):
            looking(connection, "a", needs=need)


def test_a_change_is_for_both_documents_or_for_config_alone(connection: Connection) -> None:
    domain = running(connection)
    assert looking(connection, "a").targets(config_only=False) == (LIVE, CONFIG)
    assert looking(connection, "a").targets(config_only=True) == (CONFIG,)
    domain.undefine()
    assert looking(connection, "a").targets(config_only=False) == (LIVE,)
    with raising(domains.TRANSIENT):
        looking(connection, "a").targets(config_only=True)


def test_a_read_only_connection_is_named_and_a_dry_run_may_use_it(connection: Connection, uri: str) -> None:
    readonly = connect(uri, readonly=True)
    refuse_read_only(connection, "a")
    refuse_read_only(readonly, "a", dry_run=True)
    with raising(domains.READ_ONLY, name="a", uri=readonly.uri):
        refuse_read_only(readonly, "a")


@pytest.mark.parametrize(
    ("make", "look", "act", "sentence"),
    [
        (running, OpenDomain.has_managed_save, OpenDomain.managed_save, "it has a managed-save image"),
        (saved, OpenDomain.has_managed_save, OpenDomain.discard_managed_save, "its managed-save image is gone"),
        (off, OpenDomain.look_again, lambda domain: domain.start(paused=True), "it runs"),
        (running, OpenDomain.look_again, OpenDomain.destroy, "it is off"),
        (running, OpenDomain.state, OpenDomain.resume, "it is running"),
        (off, OpenDomain.look_again, OpenDomain.undefine, "it is gone"),
        (running, OpenDomain.look_again, lambda domain: domain.set_title("b", LIVE), "its live document has changed"),
        (off, OpenDomain.look_again, lambda domain: domain.set_title("b", CONFIG), "its config document has changed"),
        (off, OpenDomain.look_again, lambda domain: domain.done_besides.append("b is gone"), "b is gone"),
    ],
)
def test_an_operation_that_breaks_off_tells_what_it_has_changed(
    connection: Connection,
    make: Callable[[Connection], object],
    look: Callable[[OpenDomain], object],
    act: Callable[[OpenDomain], object],
    sentence: str,
) -> None:
    make(connection)
    with raising(CHANGED_AND_THEN, name="a") as told, changing(connection, "a") as domain:
        look(domain)
        act(domain)
        raise KeyError("c")
    assert told.value.fields["done"] == [sentence]


def test_an_operation_that_breaks_off_tells_of_snapshots(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root"))))
    with raising(CHANGED_AND_THEN) as told, changing(connection, "a") as domain:
        assert domain.snapshot_count() == 0
        snapshot = domain._handle.snapshotCreateXML("<domainsnapshot/>")
        domain.changed()
        raise KeyError("c")
    snapshot.delete()
    assert told.value.fields["done"] == ["it has 1 of its snapshots"]


def test_an_operation_that_has_changed_nothing_breaks_off_as_it_is(connection: Connection) -> None:
    connection.define(domain_xml(extra=PASSWORD))
    with pytest.raises(KeyError), changing(connection, "a") as domain:
        domain.look_again()
        raise KeyError("c")


def test_libvirt_is_asked_once_until_a_call_changes_what_it_said(connection: Connection) -> None:
    running(connection)
    domain = looking(connection, "a")
    asks: dict[str, Callable[[], object]] = {
        "virDomainIsActive": domain.is_active,
        "virDomainGetState": domain.state,
        "virDomainHasManagedSaveImage": domain.has_managed_save,
        "virDomainSnapshotNum": domain.snapshot_count,
        "virDomainIsPersistent": domain.is_persistent,
    }
    for call, ask in asks.items():
        with counted() as made:
            assert ask() == ask()
        assert made == [call]
    with counted() as made:
        assert domain.documents.present == domain.documents.present
    assert made == ["virDomainGetXMLDesc"] * 2
    domain.resume()
    with counted() as made:
        assert domain.state() == "running"
        assert domain.documents.present and domain.is_active() and domain.is_persistent()
    assert made == ["virDomainGetState", "virDomainGetXMLDesc"], "config is as it was"


def test_what_is_written_into_our_element_is_known_and_read_again_with_that_of_others(connection: Connection) -> None:
    off(connection)
    with changing(connection, "a") as domain, counted() as made:
        assert domain.metadata(metadata.URI, CONFIG) is None
        record_fact(domain, RunAgain(NOW))
        ours = domain.metadata(metadata.URI, CONFIG)
        assert ours is not None and NOW in ours
        assert made[-1] == "virDomainSetMetadata", "nothing is read again"
        domain.set_metadata("<theirs/>", "others", OTHERS, CONFIG)
        assert "theirs" in serialize(domain.documents.own()[0])
        theirs = domain.metadata(OTHERS, CONFIG)
        assert theirs is not None and "theirs" in theirs
        assert domain.metadata(metadata.URI, CONFIG) == ours
        assert domain.metadata(metadata.URI, LIVE) is None


@pytest.mark.parametrize("looks", [True, False])
def test_what_libvirt_could_not_write_is_not_in_its_memory_where_it_was_looked_at(
    connection: Connection, config_folder: Path, looks: bool
) -> None:
    off(connection)
    record_fact(looking(connection, "a"), Creating(NOW))
    before = connection.find_domain("a").xml(CONFIG)
    with unwritable(config_folder, "read-only"), pytest.raises(LibvirtRefused), changing(connection, "a") as domain:
        ours = domain.metadata(metadata.URI, CONFIG) if looks else None
        domain.set_metadata(metadata.with_fact(ours, RunAgain(NOW)), metadata.PREFIX, metadata.URI, CONFIG)
    assert (connection.find_domain("a").xml(CONFIG) == before) is looks


def test_only_what_changes_a_domain_reads_its_secrets_and_no_error_tells_them(connection: Connection) -> None:
    connection.define(domain_xml(extra=PASSWORD))
    looked_at = looking(connection, "a")
    assert "hunter22" not in serialize(looked_at.documents.own()[0])
    assert "hunter22" not in looked_at.xml(CONFIG)
    assert "hunter22" in looked_at.xml(CONFIG, secure=True)
    with raising(BAD_NAME) as told, changing(connection, "a") as domain:
        assert "hunter22" in serialize(domain.documents.own()[0])
        raise BAD_NAME(name="hunter22")
    assert "hunter22" not in str(told.value)
    with raising(BAD_NAME) as told, changing(connection, "a") as domain:
        domain.conceal(parse(domain_xml(extra=PASSWORD.replace("22", "33"))))
        domain.conceal(parse(PASSWORD.replace("22", "44")))
        raise BAD_NAME(name="hunter33 hunter44")
    assert "hunter" not in str(told.value)


def test_a_dry_run_over_a_read_only_connection_reads_no_secrets(connection: Connection, uri: str) -> None:
    connection.define(domain_xml(extra=PASSWORD))
    with changing(connect(uri, readonly=True), "a", dry_run=True) as domain:
        assert "hunter22" not in serialize(domain.documents.own()[0])
        assert "hunter22" not in domain.xml(CONFIG, secure=True)


def test_a_domain_is_read_as_it_is_now_and_its_secrets_only_when_asked(connection: Connection) -> None:
    domain = connection.define(domain_xml(extra=PASSWORD))
    assert list(read(domain).present) == [CONFIG]
    domain.start(paused=True)
    assert list(read(domain).present) == [LIVE, CONFIG]
    for secure in (False, True):
        texts = [serialize(each) for each in read(domain, secure).present.values()]
        assert ["hunter22" in text for text in texts] == [secure, secure]
    assert ["hunter22" in serialize(each) for each in read(domain).present.values()] == [False, False]
    domain.undefine()
    assert list(read(domain).present) == [LIVE]


def test_saved_memory_comes_before_a_change_of_config(connection: Connection) -> None:
    domain = running(connection)
    assert saved_memory_notes(domain, read(domain)) == ()
    domain.managed_save()
    (note,) = saved_memory_notes(domain, read(domain))
    assert note.startswith("the next start continues from the managed-save image, without this change")
    domain.discard_managed_save()
    assert saved_memory_notes(domain, read(domain)) == ()


def test_a_fact_is_written_where_it_is_wanted_and_where_nothing_changes_nothing_is_written(
    connection: Connection,
) -> None:
    running(connection)
    domain = looking(connection, "a")

    def told(*kinds: type[Creating] | type[RunAgain]) -> list[list[object]]:
        """What live and config tell of these kinds."""
        found = looking(connection, "a").documents.present.values()
        return [[fact for kind in kinds for fact in metadata.facts(each, kind)] for each in found]

    record_fact(domain, RunAgain(NOW))
    record_fact(domain, Creating(NOW), CONFIG)
    assert told(RunAgain, Creating) == [[RunAgain(NOW)], [RunAgain(NOW), Creating(NOW)]]
    with counted() as made:
        record_fact(domain, RunAgain(NOW))
        forget_fact(domain, RunAgain("2026-02-02T00:00:00+00:00"))
    assert "virDomainSetMetadata" not in made
    forget_fact(domain, RunAgain(NOW), LIVE)
    assert told(RunAgain, Creating) == [[], [RunAgain(NOW), Creating(NOW)]]
    forget_fact(domain, Creating(NOW))
    assert told(RunAgain, Creating) == [[], [RunAgain(NOW)]]
    forget_all(domain)
    assert told(RunAgain, Creating) == [[], []]


def test_live_tells_what_is_ours_until_config_has_forgotten_it(connection: Connection, config_folder: Path) -> None:
    running(connection)
    record_fact(looking(connection, "a"), RunAgain(NOW))
    with unwritable(config_folder, "read-only"), pytest.raises(LibvirtRefused):
        forget_all(looking(connection, "a"))
    assert all(NOW in serialize(each) for each in looking(connection, "a").documents.present.values())
