"""What a dry run says of what would be is what the deed then says of what is; of every operation that has a dry run."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import (
    Result,
)
from tests.libvirt.commands import done
from tests.libvirt.domains import LIVE
from tests.libvirt.dry_runs.stories import (
    STORIES,
    Prepare,
    as_it_stands,
    medium,
    off,
    rescued,
    runs,
    snapshot_of,
    transient,
)

AT_RANDOM = {
    "Created": {"uuid", "document", "devices", "changes"},
    "Attached": {"device", "label"},
    "Rescued": {"device"},
}
"""What a dry run leaves out, as the docstrings say, because it is chosen at random in the deed."""


OF_THE_GUEST = {"after", "started", "switched_off", "outcome"}
"""The words of a result that tell what becomes of the running guest."""


BETWEEN_HOSTS = {"migrate_domain": "tests/libvirt/hosts/test_migrate.py and test_migrate_cold.py"}
"""What needs two libvirts, and where its dry runs are tested."""


def test_every_operation_with_a_dry_run_has_a_story() -> None:
    public = {name: getattr(operations, name) for name in vars(operations)["__all__"]}
    functions = {name: each for name, each in public.items() if inspect.isfunction(each)}
    dry = {name for name, each in functions.items() if "dry_run" in inspect.signature(each).parameters}
    assert {*BETWEEN_HOSTS, *(name.split()[0] for name in STORIES)} == dry
    told = {typing.get_type_hints(functions[name])["return"] for name in dry}
    assert {each.__name__ for each in Result.__subclasses__()} == {
        *(each.__name__ for each in told if inspect.isclass(each) and issubclass(each, Result)),
        *("Resumed", "Forgotten", "Evacuated"),  # in a list
    }


def guests_now(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """Of each running domain its state, and libvirt's number of the run."""
    return {
        each.uuid: (each.state(), parse(each.xml(LIVE)).get("id")) for each in connection.domains() if each.is_active()
    }


@pytest.mark.parametrize("name", STORIES)
def test_what_a_dry_run_says_is_what_the_deed_then_does(connection: Connection, tmp_path: Path, name: str) -> None:
    prepare, told = STORIES[name]
    prepare(connection, tmp_path)
    act, before = told(connection, tmp_path), as_it_stands(connection)
    promised = act(dry_run=True)
    assert as_it_stands(connection) == before
    guests = guests_now(connection)
    deed = act(dry_run=False)
    changed = guests_now(connection) != guests
    if changed:
        assert {field.name for field in dataclasses.fields(deed)} & OF_THE_GUEST
    assert getattr(deed, "started", changed) == changed
    assert (promised.dry_run, deed.dry_run) == (True, False)
    kept, given = (
        {field.name: getattr(each, field.name) for field in dataclasses.fields(each)} for each in (promised, deed)
    )
    for left_out in ("dry_run", "asked_of_libvirt", *AT_RANDOM.get(type(deed).__name__, ())):
        del kept[left_out], given[left_out]
    if name.startswith(("start saved", "restore_domain")) and kept["after"] is None:
        del kept["after"], given["after"]  # nobody but the image knows
    assert kept == given


@pytest.mark.parametrize(
    ("prepare", "command", "said"),
    [
        (runs, "delete --force a", "would be switched off and deleted"),
        (runs, "rescue --force a --device cdrom --image /{folder}/medium.img", "would be switched off and boot from"),
        (runs, "snapshot create a s", "the guest would stand still while it is written"),
        (snapshot_of(runs, "shut off"), "snapshot revert a s", "it would be running"),
        (snapshot_of(off, "running"), "snapshot revert a s", "the running guest is switched off"),
        (transient, "destroy a", "it is transient, and would be gone"),
        (rescued, "destroy a", "which ends the rescue"),
        (rescued, "unrescue a", "would switch the rescue off and start the domain itself"),
        (off, "repair a", "would be started"),
        (off, "clone a b --start", "b: would be started"),
    ],
)
def test_a_dry_run_says_in_words_what_becomes_of_the_guest(
    connection: Connection, uri: str, tmp_path: Path, prepare: Prepare, command: str, said: str
) -> None:
    medium(tmp_path)
    prepare(connection, tmp_path)
    before = as_it_stands(connection)
    assert said in done(uri, *command.replace("/{folder}", str(tmp_path)).split(), "--dry-run")
    assert as_it_stands(connection) == before
