"""Going back to an internal snapshot with Debian 13's libvirt 11.3: its NEWS calls that broken in 11.2 and 11.3."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.domains import domain_xml, image
from tests.libvirt.images import mark_of, qcow2, qcow2_disk, write

CD = (
    "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{0}'/>"
    "<target dev='sda' bus='sata'/><readonly/></disk>"
)


@pytest.mark.parametrize("now", ["shut off", "running"])
@pytest.mark.parametrize("then", ["shut off", "running"])
def test_a_domain_goes_back_to_an_internal_snapshot_whatever_state_it_was_and_is_in(
    newer: Connection, tmp_path: Path, then: str, now: str
) -> None:
    path = qcow2(tmp_path, "root", 1)
    newer.define(domain_xml(extra=qcow2_disk(path) + CD.format(image(tmp_path, "cd"))))
    if then == "running":
        operations.start(newer, "a")
    operations.create_snapshot(newer, "a", "s")
    if then == "running":
        operations.destroy(newer, "a")
    write(path, 2)
    if now == "running":
        operations.start(newer, "a")
    reverted = operations.revert_to_snapshot(newer, "a", "s", accept=True)
    assert (reverted.before, reverted.after, reverted.changes) == (now, then, ())
    assert mark_of(path) == 1
