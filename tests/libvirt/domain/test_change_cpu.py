"""Another CPU, deliberately: one that the host cannot give any more is left to it again, others get single features."""

from __future__ import annotations

import json

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.errors import LibvirtRefused
from holdfast.errors.changes import WOULD_NOT_START
from holdfast.errors.settings import NOTHING_SAID
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.raising import raising

NOT_IN_TCG = "md-clear"
"""A feature of KVM's that no emulated CPU has (QEMU 7.2 to 11.1)."""
TOPOLOGY = "<topology sockets='1' cores='1' threads='1'/>"
OPEN = f"<cpu mode='host-model' check='partial'>{TOPOLOGY}</cpu>"


def sealed(*features: str, mode: str = "custom", model: str = "qemu64") -> str:
    """A CPU that needs these features."""
    more = "".join(f"<feature policy='require' name='{name}'/>" for name in features)
    begin = f"<cpu mode='{mode}' match='exact' check='partial'><model fallback='forbid'>{model}</model>"
    return f"{begin}{TOPOLOGY}{more}</cpu>"


def with_cpu(cpu: str, name: str = "a") -> str:
    return domain_xml(name).replace("</features>", f"</features>{cpu}")


def test_cpu_that_the_host_cannot_give_is_left_to_it_again_and_the_domain_starts(connection: Connection) -> None:
    domain = connection.define(with_cpu(sealed(NOT_IN_TCG)))
    with pytest.raises(LibvirtRefused, match=NOT_IN_TCG):
        domain.start(paused=True)
    would = operations.unseal_cpu(connection, "a", dry_run=True)
    assert NOT_IN_TCG in domain.xml(CONFIG)
    change = operations.unseal_cpu(connection, "a")
    assert (would.changes, would.dry_run) == (change.changes, True)
    assert (change.was, change.becomes, change.at_next_start) == ("qemu64, 1 features on, 0 off", "host-model", False)
    assert any(NOT_IN_TCG in str(seen) for seen in change.changes)
    cpu = parse(domain.xml(CONFIG)).find("cpu")
    assert cpu is not None
    assert (cpu.get("mode"), [child.tag for child in cpu]) == ("host-model", ["topology"])
    domain.start(paused=True)
    again = operations.unseal_cpu(connection, "a")
    assert (again.changed, again.changes) == (False, ())


def test_what_a_running_guest_will_see_is_what_it_then_has(connection: Connection) -> None:
    domain = connection.define(with_cpu(sealed()))
    domain.start(paused=True)
    change = operations.unseal_cpu(connection, "a")
    before = domain.xml(LIVE)
    assert change.at_next_start
    domain.destroy()
    domain.start(paused=True)
    assert any("model" in str(seen) for seen in change.changes)
    assert {str(seen) for seen in change.changes if "@" not in str(seen)} & set(
        map(str, visible(compare(before, domain.xml(LIVE))))
    )


def test_cpu_that_is_open_or_the_hosts_own_is_not_unsealed(connection: Connection, uri: str) -> None:
    domain = connection.define(with_cpu("<cpu mode='maximum'/>"))
    before = domain.xml(CONFIG)
    assert done(uri, "unseal", "a", "--cpu") == "a: its CPU is not sealed: maximum\n"
    assert domain.xml(CONFIG) == before


def test_unseal_says_what_the_guest_will_see(connection: Connection, uri: str) -> None:
    connection.define(with_cpu(sealed(NOT_IN_TCG)))
    said = done(uri, "unseal", "a", "--cpu", "--dry-run")
    assert said.startswith("a: the CPU would be host-model, was qemu64, 1 features on, 0 off\nthe guest will see: ")
    assert said.endswith("nothing was changed\n")
    assert run(uri, "unseal", "a").exit_code == 2
    assert json.loads(done(uri, "unseal", "a", "--cpu", "-o", "json"))["becomes"] == "host-model"


@pytest.mark.parametrize("cpu", [sealed(), OPEN], ids=["sealed", "open"])
def test_feature_comes_with_the_next_cold_start_and_nothing_else(connection: Connection, cpu: str) -> None:
    domain = connection.define(with_cpu(cpu))
    domain.start(paused=True)
    live, before = domain.xml(LIVE), domain.xml(CONFIG)
    change = operations.upgrade_cpu(connection, "a", {"rdrand": True, "aes": False})
    assert change.at_next_start
    assert domain.xml(LIVE) == live
    config = parse(domain.xml(CONFIG))
    assert {each.where.partition("[")[0] for each in visible(compare(before, domain.xml(CONFIG)))} == {"cpu/feature"}
    policies = {each.get("name"): each.get("policy") for each in config.iterfind("cpu/feature")}
    assert (policies["rdrand"], policies["aes"]) == ("require", "disable")
    domain.destroy()
    domain.start(paused=True)
    operations.upgrade_cpu(connection, "a", {"rdrand": False, "aes": True})
    policies = {each.get("name"): each.get("policy") for each in parse(domain.xml(CONFIG)).iterfind("cpu/feature")}
    assert (policies["rdrand"], policies["aes"]) == ("disable", "require")


@pytest.mark.parametrize("cpu", [sealed(), OPEN], ids=["sealed", "open"])
@pytest.mark.parametrize("feature", [NOT_IN_TCG, "no-such-feature"])
def test_feature_that_the_host_lacks_or_nobody_knows_is_refused(connection: Connection, cpu: str, feature: str) -> None:
    domain = connection.define(with_cpu(cpu))
    before = domain.xml(CONFIG)
    with pytest.raises(WOULD_NOT_START.kind, match=feature):
        operations.upgrade_cpu(connection, "a", {feature: True})
    assert domain.xml(CONFIG) == before


def test_no_feature_at_all_is_refused(connection: Connection) -> None:
    with raising(NOTHING_SAID):
        operations.upgrade_cpu(connection, "a", {})


def test_several_domains_get_a_feature_and_one_that_cannot_holds_up_no_other(connection: Connection, uri: str) -> None:
    for name, cpu in (("a", sealed()), ("c", OPEN)):
        connection.define(with_cpu(cpu, name))
    connection.find_domain("a").start(paused=True)
    said = run(uri, "upgrade", "cpu", "a", "nosuch", "c", "--feature", "+rdrand")
    assert said.exit_code == 5
    assert "a: " in said.stdout
    assert "; waits for the next cold start" in said.stdout
    assert said.stdout.endswith("2 of 2 were changed\n")
    assert "the CPU of 1 of 3 domains could not be changed: there is no domain 'nosuch'" in said.stderr
    again = json.loads(done(uri, "upgrade", "cpu", "--all", "--feature", "rdrand", "-o", "json"))
    assert [(each["name"], each["changes"]) for each in again["domains"]] == [("a", []), ("c", [])]
    assert done(uri, "upgrade", "cpu", "a", "--feature", "-rdrand", "--dry-run").endswith("1 of 1 would be changed\n")


@pytest.mark.parametrize("words", ["a --feature +", "a --feature a,b", "--feature +vmx", "a"])
def test_what_is_no_feature_of_a_domain_is_a_usage_error(uri: str, words: str) -> None:
    assert run(uri, "upgrade", "cpu", *words.split()).exit_code == 2
