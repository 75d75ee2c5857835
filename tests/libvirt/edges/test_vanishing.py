"""Domains that somebody deletes while many are gone through: the others have their turn, and what is gone is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast import operations
from holdfast.domainxml.fact import RunAgain
from holdfast.errors.firmware import STATE_IN_USE
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DomainSpec
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.state.states import uefi_xml
from tests.raising import raising

GONE = "the domain 'b' is gone: it was deleted since the domains were listed"


@pytest.fixture
def three(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The domains "a", "b" and "c"; a function after which "b" goes at the first call of that method for "a".

    Where threads call it, those with another domain wait for that.
    """
    for name in "abc":
        connection.define(domain_xml(name))
    gone_by_now = threading.Event()

    def goes_at(method: str) -> None:
        real: Callable[..., Any] = getattr(Domain, method)

        def once(domain: Domain, *args: Any) -> Any:
            if domain.name == "a":
                gone = connection.find_domain("b")
                if gone.is_active():
                    gone.destroy()
                gone.undefine()
                monkeypatch.undo()
                gone_by_now.set()
            if threading.current_thread() is not threading.main_thread():
                assert gone_by_now.wait(PATIENCE)
            return real(domain, *args)

        monkeypatch.setattr(Domain, method, once)

    return goes_at


def test_all_others_are_adopted_where_one_vanishes(
    connection: Connection, uri: str, three: Callable[[str], None]
) -> None:
    three("set_metadata")
    assert f"note: {GONE}" in done(uri, "adopt", "--all")
    assert all("holdfast:adopted" in connection.find_domain(name).xml(CONFIG) for name in "ac")


def test_vanished_domain_is_in_the_json_of_adopt_too(uri: str, three: Callable[[str], None]) -> None:
    three("set_metadata")
    found = json.loads(done(uri, "adopt", "--all", "-o", "json"))
    assert ([each["name"] for each in found["domains"]], found["notes"]) == (["a", "c"], [GONE])


def test_one_that_cannot_be_adopted_holds_up_no_other(
    connection: Connection, uri: str, three: Callable[[str], None]
) -> None:
    result = run(uri, "adopt", "a", "nosuch", "c")
    assert result.exit_code == 5
    assert "1 of 3 domains could not be adopted: there is no domain 'nosuch'" in result.stderr
    assert "holdfast:adopted" in connection.find_domain("c").xml(CONFIG)
    alone = run(uri, "adopt", "nosuch", "nobody")
    assert alone.exit_code == 4
    assert "error: there is no domain 'nosuch'" in alone.stderr
    assert "besides: there is no domain 'nobody'" in alone.stderr
    assert run(uri, "adopt", "b", "nosuch", "--dry-run").exit_code == 4


def test_audit_goes_on_and_names_what_has_vanished(uri: str, three: Callable[[str], None]) -> None:
    three("xml")
    found = json.loads(run(uri, "audit", "-o", "json").stdout)["hosts"][0]
    assert {each["name"] for each in found["domains"]} == {"a", "c"}
    assert GONE in found["notes"]
    assert found["unread"] == []


def test_plan_host_goes_on_and_names_what_has_vanished(uri: str, three: Callable[[str], None]) -> None:
    three("xml")
    result = run(uri, "plan", "host")
    assert (result.exit_code, GONE in result.stdout, "0 of 3 domains" in result.stdout) == (0, True, True)


def test_list_goes_on_where_a_domain_vanishes(connection: Connection, uri: str, three: Callable[[str], None]) -> None:
    for name in "ab":
        connection.find_domain(name).start(paused=True)
    three("metadata")
    assert done(uri, "list", "--names") == "a\nb\nc\n"


def test_resume_host_goes_on_and_names_what_has_vanished(
    connection: Connection, uri: str, three: Callable[[str], None]
) -> None:
    for name in "abc":
        record_fact(looking(connection, name), RunAgain("2026-01-01T00:00:00+00:00"))
    three("start")
    result = run(uri, "resume-host")
    assert result.exit_code == 5
    assert "1 of 3 did not start: b" in result.stderr
    assert "b: failed: there is no domain" in result.stdout
    assert connection.find_domain("c").is_active()


def test_state_that_another_has_is_found_where_one_vanishes(
    connection: Connection, three: Callable[[str], None], tmp_path: Path
) -> None:
    connection.find_domain("c").undefine()
    connection.define(uefi_xml("c", tmp_path / "vars.fd"))
    three("xml")
    with raising(STATE_IN_USE, user="c"):
        operations.create_domain_from_document(connection, uefi_xml("d", tmp_path / "vars.fd"))


def test_observing_goes_on_where_a_domain_is_held_by_somebody(
    connection: Connection, uri: str, three: Callable[[str], None]
) -> None:
    for name in "abc":
        operations.adopt_domain(connection, name)
        connection.find_domain(name).start(paused=True)
    with domain_lock(connection.find_domain("a").uuid, "a"):
        result = run(uri, "--lock-timeout", "0", "resume-host", "--observe")
    assert result.exit_code == 5
    assert "whether they run could not be recorded for 1 of 3 domains: a; the first: " in result.stderr
    assert ["holdfast:wanted" in connection.find_domain(name).xml(CONFIG) for name in "abc"] == [False, True, True]


def test_cid_is_found_where_a_domain_vanishes(
    connection: Connection, uri: str, tmp_path: Path, three: Callable[[str], None]
) -> None:
    operations.create_domain(connection, "d", DomainSpec(memory=64 * 1024**2, graphics="none", virt_type="qemu"))
    with_vsock = tmp_path / "v.xml"
    with_vsock.write_text(domain_xml("v", extra="<vsock model='virtio'><cid auto='yes'/></vsock>"))
    three("xml")
    done(uri, "create", "--from-xml", str(with_vsock))
