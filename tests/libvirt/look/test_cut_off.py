"""What was cut off between live and config is told, also where no guest sees it; so is a copy that goes on alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.domainxml.fact import Pivoting
from holdfast.errors import disks
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import (
    DiskSettings,
    DiskSpec,
    DomainSettings,
    adopt_domain,
    detach_device,
    set_disk,
    set_domain,
)
from holdfast.operations.audit.hosts import audit_host
from holdfast.operations.disks.media import insert_medium
from holdfast.operations.disks.swap import swap_disk
from holdfast.operations.facts import record_fact
from holdfast.operations.look.notice import Observation, differences
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.disks.moves import definitions, images_of_vda, moving_domain
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.images import create_image
from tests.libvirt.moments import broken_off
from tests.raising import raising

CD = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"


def told(connection: Connection) -> set[str]:
    """What the audit says of the only domain, with the kind before it, without what is left open."""
    findings = [each for report in audit_host(connection).domains for each in report.findings]
    return {f"{each.kind}: {each.sentence}" for each in findings if each.kind not in ("unsealed", "record")}


def set_limit(connection: Connection, _: Path) -> None:
    set_disk(connection, "a", "vda", DiskSettings(read_iops_sec=500))


def set_title(connection: Connection, _: Path) -> None:
    set_domain(connection, "a", DomainSettings(title="new"))


def set_description(connection: Connection, _: Path) -> None:
    set_domain(connection, "a", DomainSettings(description="new"))


def insert(connection: Connection, folder: Path) -> None:
    insert_medium(connection, "a", "sda", DiskSpec(path=str(image(folder, "cd")), format="raw"))


@pytest.mark.parametrize(
    ("command", "method", "words"),
    [
        (set_limit, "set_io_limits", "disk vda: iotune read_iops_sec is no longer given (was 500)"),
        (set_title, "set_title", "title is no longer given (was new)"),
        (set_description, "set_description", "description is no longer given (was new)"),
        (insert, "update", "disk sda: source is no longer given (was {}/cd.img)"),
    ],
)
def test_what_live_has_and_config_has_not_is_told_until_the_command_is_repeated(
    connection: Connection,
    uri: str,
    tmp_path: Path,
    command: Callable[[Connection, Path], None],
    method: str,
    words: str,
) -> None:
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda") + CD))
    domain.start(paused=True)
    before, words = told(connection), words.format(tmp_path)
    with broken_off(method, 2):
        command(connection, tmp_path)
    assert told(connection) - before == {f"apart: at the next start {words}"}
    assert f"At the next start:\n  {words} (the guest does not see it)\n" in done(uri, "show", "a")
    assert f"{words} (the guest does not see it)\nthe guest sees no difference\n" in done(
        uri, "diff", "a@live", "a@config"
    )
    command(connection, tmp_path)
    assert told(connection) == before


def copied_by_nobody(connection: Connection, folder: Path) -> tuple[Domain, DiskSpec]:
    """A running domain whose vda QEMU copies, for a command that is gone; and where to."""
    domain = moving_domain(connection, folder, start=True)
    adopt_domain(connection, "a")
    path = folder / "other.img"
    create_image(str(path), "raw", 4 * 1024 * 1024)
    spec = DiskSpec(path=str(path), format="raw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.operations.disks.swap.finish_copy", lambda *_: None)
        swap_disk(connection, "a", "vda", spec, copy_content=True)
    return domain, spec


def test_a_copy_that_goes_on_alone_is_told_and_nothing_else_is_done_to_its_disk(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain, spec = copied_by_nobody(connection, tmp_path)
    sentence = f"the disk vda is being copied to {spec.path}, or was interrupted"
    assert f"unfinished: {sentence}" in told(connection)
    assert sentence in " ".join(done(uri, "show", "a").split())
    with raising(disks.BEING_COPIED, target="vda"):
        detach_device(connection, "a", "vda")
    result = run(uri, "disk", "detach", "a", "vda", "--dry-run")
    assert "'holdfast disk move a vda' finishes it, --abort cancels it" in result.stderr
    before = Observation("a", "paused", domain.xml(LIVE), domain.xml(CONFIG))
    assert done(uri, "disk", "move", "a", "vda", "--abort")
    after = Observation("a", "paused", domain.xml(LIVE), domain.xml(CONFIG))
    assert [each.sentence for each in differences("here", "x", after, before)] == [
        f"disk vda is being copied to {spec.path}"
    ]
    assert not any(each.startswith("unfinished") for each in told(connection))
    assert images_of_vda(domain) == {(str(tmp_path / "one.img"), "raw")}


@pytest.mark.parametrize("by", ["repeating", "moving on"])
def test_a_copy_that_goes_on_alone_is_finished_in_both_documents(
    connection: Connection, uri: str, tmp_path: Path, by: str
) -> None:
    domain, spec = copied_by_nobody(connection, tmp_path)
    if by == "repeating":
        swap_disk(connection, "a", "vda", spec, copy_content=True)
    else:
        done(uri, "disk", "move", "a", "vda")
    assert definitions(domain) == [LIVE, CONFIG]
    assert images_of_vda(domain) == {(spec.path, "raw")}
    assert not any(each.startswith("unfinished") for each in told(connection))


def test_a_disk_that_has_gone_over_is_settled_by_repeating_the_swap(connection: Connection, tmp_path: Path) -> None:
    _, spec = copied_by_nobody(connection, tmp_path)
    swap_disk(connection, "a", "vda", spec, copy_content=True)
    record_fact(looking(connection, "a"), Pivoting("vda", str(tmp_path / "one.img"), str(spec.path), "raw"), CONFIG)
    sentence = f"unfinished: the disk vda has switched to {spec.path}, but what follows is not done yet"
    assert sentence in told(connection)
    swap_disk(connection, "a", "vda", spec, copy_content=True)
    assert sentence not in told(connection)
