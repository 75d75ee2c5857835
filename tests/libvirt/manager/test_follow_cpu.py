"""A CPU that the host cannot give any more: it is told before a start, and may follow what the manager asks for now."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.errors import LibvirtRefused
from holdfast.errors.hosts import CPU_NOT_GIVEN
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.manager.follow import follow_document
from holdfast.operations.manager.follow_cpu import follow_cpu
from holdfast.operations.manager.foreign_start import refuse_start
from tests.libvirt.domain.test_change_cpu import NOT_IN_TCG, OPEN, sealed, with_cpu
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml
from tests.raising import raising

LACKS = f"lacks CPU features: {NOT_IN_TCG}"


def test_start_that_fails_for_its_cpu_is_foretold_with_what_the_host_lacks(connection: Connection) -> None:
    domain = connection.define(with_cpu(sealed(NOT_IN_TCG, "rdrand")))
    with raising(CPU_NOT_GIVEN, name="a", lacks=LACKS):
        refuse_start(connection, "a")
    refuse_start(connection, "a", other_cpu=True)
    with pytest.raises(LibvirtRefused, match=NOT_IN_TCG):
        domain.start()


@pytest.mark.parametrize(
    "cpu",
    [sealed("rdrand"), OPEN, sealed(NOT_IN_TCG).replace("partial", "none"), "<cpu mode='maximum'/>"],
    ids=["sealed", "open", "unchecked", "all"],
)
def test_start_that_does_not_fail_for_its_cpu_is_let_and_the_cpu_stays(connection: Connection, cpu: str) -> None:
    domain = connection.define(with_cpu(cpu))
    before = domain.xml(CONFIG)
    refuse_start(connection, "a")
    assert follow_cpu(connection, "a", with_cpu(sealed("aes"))) == ()
    assert domain.xml(CONFIG) == before
    domain.start(paused=True)


def test_cpu_of_which_libvirt_does_not_know_the_model_is_not_given(connection: Connection) -> None:
    connection.define(with_cpu(sealed(model="Qemu65")))
    with raising(CPU_NOT_GIVEN, name="a", lacks="does not know the CPU Qemu65"):
        refuse_start(connection, "a")


@pytest.mark.parametrize("wanted", [OPEN, sealed("rdrand")], ids=["host-model", "model"])
def test_cpu_follows_once_written_down_and_its_topology_stays(connection: Connection, wanted: str) -> None:
    two = sealed(NOT_IN_TCG).replace("cores='1'", "cores='2'")
    domain = connection.define(with_cpu(two).replace("<os>", "<vcpu>2</vcpu><os>"))
    before = domain.xml(CONFIG)
    said = follow_cpu(connection, "a", with_cpu(wanted))
    after = domain.xml(CONFIG)
    assert said[0] == f"the host {LACKS}"
    assert any(NOT_IN_TCG in each for each in said[1:])
    cpu = parse(after).find("cpu")
    assert cpu is not None
    assert cpu.get("mode") == "custom"
    assert [each.get("cores") for each in cpu.iterfind("topology")] == ["2"]
    assert {each.where.partition("/")[0].partition("@")[0] for each in visible(compare(before, after))} == {"cpu"}
    domain.start(paused=True)
    assert follow_cpu(connection, "a", with_cpu(sealed("aes"))) == ()


def test_other_cpu_that_the_host_cannot_give_either_is_refused(connection: Connection) -> None:
    domain = connection.define(with_cpu(sealed(NOT_IN_TCG)))
    before = domain.xml(CONFIG)
    with raising(CPU_NOT_GIVEN, name="a", lacks=LACKS):
        follow_cpu(connection, "a", with_cpu(sealed(NOT_IN_TCG, "rdrand")))
    assert domain.xml(CONFIG) == before


def test_hypervisor_discard_and_queues_stay_as_the_domain_has_them(connection: Connection, tmp_path: Path) -> None:
    """What Nova's options say of them by now is for new instances (docs/nova.md, Limits)."""
    card = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    made = domain_xml(extra=disk_xml(tmp_path, "one", "vda") + card)
    domain = connection.define(made)
    before = domain.xml(CONFIG)
    now = (
        made.replace("<domain type='qemu'", "<domain type='kvm'")
        .replace("type='raw'", "type='raw' discard='unmap'")
        .replace("<model type='virtio'/></interface>", "<model type='virtio'/><driver queues='4'/></interface>")
        .replace("<name>", f"<uuid>{domain.uuid}</uuid><name>", 1)
    )
    assert (now.count("kvm"), now.count("unmap"), now.count("queues")) == (1, 1, 1)
    followed = follow_document(connection, "a", now, is_own=lambda _: True)
    assert (followed.changes, followed.host, domain.xml(CONFIG)) == ((), (), before)
