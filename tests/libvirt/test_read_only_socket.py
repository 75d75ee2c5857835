"""A socket over which libvirt lets nobody write (libvirt-sock-ro): nothing is changed past libvirt either.

What we do on files ourselves (a disk that is extended, an image that is removed) asks no libvirt; every operation must
have asked before.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import HoldfastError, domains
from holdfast.libvirtapi.connection import Connection, open_connection
from tests.libvirt.commands import run
from tests.libvirt.domains import domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.test_calls import started
from tests.libvirt.test_exit_codes import OPERATIONS, clear, told


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_changed_over_a_socket_that_is_for_reading(
    daemon: Connection, daemon_uri: str, tmp_path: Path, operation: str
) -> None:
    act, before = OPERATIONS[operation]
    clear(daemon, tmp_path)
    started(daemon, tmp_path)
    if before is not None:
        before(daemon, tmp_path)
    was = told(daemon, tmp_path)
    with open_connection(daemon_uri.replace("libvirt-sock", "libvirt-sock-ro")) as reader:
        if operation == "resume-host":
            operations.resume_host(reader)
        else:
            with pytest.raises(HoldfastError) as caught:
                act(reader, tmp_path)
            assert caught.value.code == domains.READ_ONLY.code, caught.value
            assert caught.value.exit_code == 1
    assert told(daemon, tmp_path) == was
    clear(daemon, tmp_path)


@pytest.mark.parametrize("words", ["disk extend a vda 2MiB", "delete a --storage", "disk move a vda {}/new"])
def test_such_a_socket_is_named_in_one_sentence(
    daemon: Connection, daemon_uri: str, tmp_path: Path, words: str
) -> None:
    daemon.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root"))))
    uri = daemon_uri.replace("libvirt-sock", "libvirt-sock-ro")
    result = run(uri, *words.format(tmp_path).split())
    assert (result.exit_code, f"the connection to {uri} is read-only, and this changes 'a'" in result.stderr) == (
        1,
        True,
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "root.qcow2"]


def test_a_host_is_not_resumed_over_such_a_socket(daemon: Connection, daemon_uri: str) -> None:
    daemon.define(domain_xml())
    operations.set_domain(daemon, "a", operations.DomainSettings(autostart=True))
    result = run(daemon_uri.replace("libvirt-sock", "libvirt-sock-ro"), "resume-host")
    assert (result.exit_code, "is read-only, and this changes 'a'" in result.stderr) == (1, True), result.output
