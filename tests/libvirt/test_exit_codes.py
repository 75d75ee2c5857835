"""Exit codes 1 to 4 say that nothing was changed, and that is so whichever call to libvirt fails.

Each operation that changes something is run again and again, each time with another of its calls refused, from the
first one on that changes something. What bare libvirt and the folder of the images say then is held against what they
said before. A new operation belongs into BUDGETS of :mod:`tests.libvirt.test_calls`, or into MORE.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirtmod  # type: ignore[import-not-found]
import pytest

import libvirt
from holdfast import operations
from holdfast.errors import HoldfastError
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, DomainSpec
from holdfast.operations.documents import read
from holdfast.operations.session import changing
from tests.libvirt.domains import CONFIG, domain_xml, image, remove_domains, running
from tests.libvirt.test_calls import BEFORE, BUDGETS, LOCAL, MIB, started, switch_off
from tests.raising import raising
from tests.reading_calls import READS

VOLATILE = re.compile(r"<currentMemory.*</currentMemory>")
"""What of live comes and goes by itself."""

SMALL = DomainSpec(memory=64 * MIB, graphics="none")


Step = Callable[[Connection, Path], object]


def rescue(connection: Connection, folder: Path) -> object:
    medium = DiskSpec(path=str(image(folder, "rescue")), format="raw")
    return operations.rescue(connection, "a", medium, force=True)


def save(connection: Connection, _: Path) -> object:
    return operations.save_domain(connection, "a")


def with_rescue_image(_: Connection, folder: Path) -> None:
    image(folder, "rescue")


MORE: dict[str, tuple[Step, Step | None]] = {
    "repair": (lambda connection, _: operations.repair_domain(connection, "a"), switch_off),
    "suspend": (lambda connection, _: operations.suspend(connection, "a"), lambda c, _: operations.resume(c, "a")),
    "shutdown": (lambda connection, _: operations.shutdown(connection, "a", timeout=0), None),
    "rescue --force": (rescue, with_rescue_image),
    "unrescue": (lambda connection, _: operations.unrescue(connection, "a", start=True), rescue),
    "resume-host": (lambda connection, _: operations.resume_host(connection), switch_off),
    "discard-save": (lambda connection, _: operations.discard_save(connection, "a"), save),
    "release": (lambda connection, _: operations.release_domain(connection, "a"), None),
    "detach a disk": (lambda connection, _: operations.detach_device(connection, "a", "vda", timeout=0), None),
    "create --start": (lambda connection, _: operations.create_domain(connection, "b", SMALL, start=True), None),
}
"""Further operations, and what is done before each."""

LOOKING = ("look up", "show", "plan", "verify", "list")
"""Beginnings of the names of those that change nothing."""

OPERATIONS: dict[str, tuple[Step, Step | None]] = {
    **{name: (act, BEFORE.get(name)) for name, (_, act) in BUDGETS.items() if not name.startswith(LOOKING)},
    **MORE,
}


def told(connection: Connection, folder: Path) -> dict[str, object]:
    """All there is: of each domain its state, documents, snapshots and saved memory; files; what else is active."""
    own = ("other",)  # a swap of these tests makes the image first that it is given
    found: dict[str, object] = {path.name: path.stat().st_size for path in folder.iterdir() if path.name not in own}
    for domain in connection.domains():
        documents = {which: VOLATILE.sub("", domain.xml(which)) for which in read(domain).present}
        snapshots = sorted(each.getName() for each in domain._handle.listAllSnapshots())
        found[domain.uuid] = (domain.name, domain.state(), documents, snapshots, domain.has_managed_save())
    for each in (*connection._handle.listAllNetworks(), *connection._handle.listAllStoragePools()):
        found[each.name()] = each.isActive()
    return found


def clear(connection: Connection, folder: Path) -> None:
    remove_domains(connection)
    for each in (*connection._handle.listAllNetworks(), *connection._handle.listAllStoragePools()):
        each.destroy()
        each.undefine()
    for path in folder.iterdir():
        path.unlink()


@contextmanager
def refusing(number: int) -> Iterator[list[str]]:
    """The ``number``-th call that this thread makes is refused, counted from the first one that changes something.

    The list has its name, once it was made.
    """
    refused: list[str] = []
    ours, counter = threading.get_ident(), itertools.count()
    changed = False

    def wrapped(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object) -> object:
            nonlocal changed
            if threading.get_ident() == ours:
                changed = changed or not READS.match(name)
                if changed and next(counter) == number:
                    refused.append(name)
                    raise libvirt.libvirtError("refused by this test")
            return call(*args)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in dir(libvirtmod):
            if name.startswith(("virDomain", "virConnect", "virNetwork", "virStorage")) and name not in LOCAL:
                patch.setattr(libvirtmod, name, wrapped(name, getattr(libvirtmod, name)))
        yield refused


def code_of(act: Callable[[], object]) -> tuple[int, str]:
    """The exit code that a command would have, and what it would say."""
    try:
        act()
    except HoldfastError as error:
        return error.exit_code, f"{error.code}: {error}"
    except Exception as error:  # noqa: BLE001 - as the command line has it
        return 1, repr(error)
    return 0, ""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_changed_where_the_exit_code_says_so(daemon: Connection, tmp_path: Path, operation: str) -> None:
    act, before = OPERATIONS[operation]
    is_fresh, lies = False, []
    for number in itertools.count():
        if not is_fresh:
            clear(daemon, tmp_path)
            started(daemon, tmp_path)
            if before is not None:
                before(daemon, tmp_path)
        was = told(daemon, tmp_path)
        with refusing(number) as refused:
            code, said = code_of(lambda: act(daemon, tmp_path))
        if not refused:
            break
        now = told(daemon, tmp_path)
        is_fresh = now == was
        if code in (1, 2, 3, 4) and not is_fresh:
            differing = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
            lies.append(f"{number} ({refused[0]}): {code} {said}: {differing}")
    assert not lies, "\n".join(lies)
    clear(daemon, tmp_path)


def test_a_defect_does_not_say_that_nothing_was_changed(connection: Connection) -> None:
    connection.define(domain_xml())
    why = "this should not have happened: KeyError: 'c'"
    told = raising(CHANGED_AND_THEN, cause=why, done="its config document has changed")
    with told, changing(connection, "a") as domain:
        assert not domain.documents.live
        domain.set_title("b", CONFIG)
        raise KeyError("c")


def test_what_was_taken_back_has_not_changed_anything(connection: Connection) -> None:
    connection.define(domain_xml())
    with pytest.raises(KeyError), changing(connection, "a") as domain:
        assert not domain.documents.live
        domain.set_title("b", CONFIG)
        domain.set_title("", CONFIG)
        raise KeyError("c")


def test_what_somebody_else_changed_is_not_told_as_ours(connection: Connection) -> None:
    theirs = connection.define(domain_xml())
    with pytest.raises(KeyError), changing(connection, "a") as domain:
        assert not domain.documents.live
        theirs.set_title("b", CONFIG)
        raise KeyError("c")


def test_a_guest_that_ends_meanwhile_is_told(connection: Connection) -> None:
    running(connection)
    with raising(CHANGED_AND_THEN, done="it is off"), changing(connection, "a") as domain:
        assert domain.documents.live is not None
        domain.destroy()
        raise KeyError("c")
