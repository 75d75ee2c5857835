"""One condition has one code, whichever verb meets it, and also where somebody else was faster than our look."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.cli.hints import hint
from holdfast.domainxml.fact import Creating, RunAgain
from holdfast.errors import creation, files, hosts, images
from holdfast.errors.domains import READ_ONLY, UNFINISHED
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, image, running
from tests.raising import raising

MIB = 1024 * 1024
SMALL = DomainSpec(memory=64 * MIB, virt_type="qemu")


def small(path: Path) -> DomainSpec:
    return DomainSpec(memory=64 * MIB, virt_type="qemu", disks=(DiskSpec(path=str(path), size=MIB),))


@pytest.mark.parametrize("machine", ["nosuch", "pc-q35-99.0"])
def test_a_machine_type_that_the_host_lacks_is_not_found(
    connection: Connection, uri: str, tmp_path: Path, machine: str
) -> None:
    domain = connection.define(domain_xml("a", "pc-q35-7.2"))
    before = domain.xml(CONFIG)
    (tmp_path / "a.xml").write_text(domain_xml("b", machine))
    for command in (
        ("create", "b", "--memory", "64MiB", "--machine", machine),
        ("create", "b", "--memory", "64MiB", "--machine", machine, "--dry-run"),
        ("create", "--from-xml", f"{tmp_path}/a.xml"),
        ("upgrade", "machine", "a", machine),
        ("plan", "machine", "a", machine),
    ):
        result = run(uri, *command)
        assert f"the host has no machine type {machine}" in result.stderr, command
        assert result.exit_code == hosts.NO_MACHINE_TYPE.kind.exit_code, command
    edited = before.replace("pc-q35-7.2", "pc-q35-99.0")
    with raising(hosts.NO_MACHINE_TYPE, machine="pc-q35-99.0"):
        operations.edit_domain(connection, "a", before, edited, accept=True)
    with raising(hosts.NO_MACHINE_TYPE, machine="pc-q35-99.0"):
        connection.define(domain_xml("b", "pc-q35-99.0"))
    assert [each.name for each in connection.domains()] == ["a"]
    assert domain.xml(CONFIG) == before


def somebody_is_faster(patch: pytest.MonkeyPatch, kind: type, method: str, deed: Callable[[], object]) -> None:
    """``deed`` is done right before the first call of ``method`` reaches libvirt."""
    real, deeds = getattr(kind, method), [deed]

    def after_them(self: object, *args: object) -> object:
        if deeds:
            deeds.pop()()
        return real(self, *args)

    patch.setattr(kind, method, after_them)


VERBS: dict[str, Callable[[Connection, Path], object]] = {
    "create": lambda connection, folder: operations.create_domain(connection, "b", SMALL),
    "create with an image": lambda connection, folder: operations.create_domain(connection, "b", small(folder / "b")),
    "create from a document": lambda connection, folder: operations.create_domain_from_document(
        connection, domain_xml("b")
    ),
    "clone": lambda connection, folder: operations.clone_domain(connection, "a", "b"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_that_somebody_takes_after_our_look_is_taken(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str
) -> None:
    connection.define(domain_xml("a", extra=disk_xml(tmp_path, "one", "vda")))
    theirs: list[Domain] = []
    define = connection.define
    somebody_is_faster(monkeypatch, Connection, "define", lambda: theirs.append(define(domain_xml("b"))))
    with raising(creation.DOMAIN_EXISTS, name="b"):
        VERBS[verb](connection, tmp_path)
    assert [each.uuid for each in connection.domains() if each.name == "b"] == [theirs[0].uuid]
    assert [path.name for path in tmp_path.iterdir()] == ["one.img"]


def test_a_taken_name_whose_domain_lacks_nothing_but_its_start_is_told_so_to_whoever_wants_it_started(
    connection: Connection,
) -> None:
    domain = connection.define(domain_xml())
    operations.adopt_domain(connection, "a")

    def create(*, start: bool) -> object:
        return operations.create_domain(connection, "a", SMALL, start=start)

    with raising(creation.DOMAIN_EXISTS, name="a", uuid=domain.uuid):
        create(start=True)
    record_fact(looking(connection, "a"), RunAgain("2026-01-01T00:00:00+00:00"), CONFIG)
    with raising(creation.DOMAIN_EXISTS_UNSTARTED, name="a", uuid=domain.uuid) as off:
        create(start=True)
    connection.define(domain_xml("b"))
    with raising(creation.DOMAIN_EXISTS, name="a", uuid=domain.uuid):
        operations.rename_domain(connection, "b", "a")
    domain.start(paused=True)
    with raising(creation.DOMAIN_EXISTS_UNSTARTED, name="a", uuid=domain.uuid) as unrecorded:
        create(start=True)
    assert [each.value.fields["state"] for each in (off, unrecorded)] == [
        "is recorded to run, and is off",
        "runs, and what it was started with is not recorded",
    ]
    with raising(creation.DOMAIN_EXISTS):
        create(start=False)
    operations.start(connection, "a")
    with raising(creation.DOMAIN_EXISTS):
        create(start=True)


def test_a_name_of_a_domain_that_is_being_created_is_not_there_to_be_taken(connection: Connection) -> None:
    connection.define(domain_xml())
    record_fact(looking(connection, "a"), Creating("2026-01-01T00:00:00+00:00"))
    with raising(UNFINISHED, name="a", since="2026-01-01T00:00:00+00:00"):
        operations.create_domain(connection, "a", SMALL)


def test_a_new_name_that_somebody_takes_after_our_look_is_taken(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.define(domain_xml("a"))
    somebody_is_faster(monkeypatch, Domain, "rename", lambda: connection.define(domain_xml("b")))
    with raising(creation.DOMAIN_EXISTS, name="b"):
        operations.rename_domain(connection, "a", "b")
    assert [each.name for each in connection.domains()] == ["a", "b"]


def test_a_uuid_that_somebody_takes_while_we_wait_for_its_lock_is_taken(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = "11111111-2222-4333-8444-555555555555"
    document = domain_xml("b").replace("<memory", f"<uuid>{uuid}</uuid><memory")

    def after_them(uuid: str, name: str, timeout: float) -> AbstractContextManager[None]:
        connection.define(document)
        return domain_lock(uuid, name, timeout)

    monkeypatch.setattr("holdfast.operations.domain.make.domain_lock", after_them)
    with raising(creation.DOMAIN_EXISTS, uuid=uuid):
        operations.create_domain_from_document(connection, document)


def test_what_the_hint_of_a_taken_name_says_works_while_that_domain_runs(connection: Connection, uri: str) -> None:
    running(connection, "a")
    with raising(creation.DOMAIN_EXISTS, name="a") as taken:
        operations.create_domain(connection, "a", SMALL)
    (command,) = re.findall(r"'holdfast ([^']+)'", hint(taken.value))
    done(uri, *command.split())


def test_a_file_that_is_in_the_way_is_named_with_the_domain_that_has_it(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml("a", extra=disk_xml(tmp_path, "one", "vda")))
    with raising(images.IMAGE_OF_DOMAIN, user="a"):
        operations.create_domain(connection, "b", small(tmp_path / "one.img"))
    (tmp_path / "link.img").symlink_to(tmp_path / "one.img")
    with raising(images.IMAGE_OF_DOMAIN, user="a"):
        operations.attach_disk(connection, "a", DiskSpec(path=f"{tmp_path}/link.img", size=MIB))
    image(tmp_path, "nobodys")
    with raising(files.EXISTS, path=f"{tmp_path}/nobodys.img"):
        operations.attach_disk(connection, "a", DiskSpec(path=f"{tmp_path}/nobodys.img", size=MIB))


def test_a_read_only_connection_is_denied_in_one_sentence(connection: Connection, uri: str) -> None:
    connection.define(domain_xml("a"))
    for command in (("create", "b", "--memory", "64MiB"), ("seal", "a")):
        result = run(uri, "-r", *command)
        assert result.exit_code == READ_ONLY.kind.exit_code
        assert result.stderr.count("read-only,") == 1
        assert "operation forbidden" not in result.stderr
