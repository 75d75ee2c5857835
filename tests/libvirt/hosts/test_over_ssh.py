"""Over ssh: a guest moves while it runs, and a domain that is shut off with all that it has."""

from __future__ import annotations

from pathlib import Path

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.cable import Cable
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG
from tests.libvirt.hosts.moving_guest import states
from tests.libvirt.hosts.over_ssh import ssh_uri

MIB = 1 << 20


def test_a_guest_that_runs_moves_over_ssh(
    cable: Cable, here: Connection, there: Connection, guest: Domain, tmp_path: Path
) -> None:
    config, uri = guest.xml(CONFIG), ssh_uri(cable.hosts[1], tmp_path)
    assert done(here.uri, "migrate", "a", uri).startswith(f"a: is moved to {uri} while it runs")
    assert states(here, there) == [[], ["running"]]
    assert not visible(compare(config, there.find_domain("a").xml(CONFIG)))


def test_a_domain_that_is_shut_off_moves_over_ssh_with_its_image_variables_and_tpm(
    cable: Cable, here: Connection, there: Connection, tmp_path: Path
) -> None:
    old, new = (host.images for host in cable.hosts)
    disk = DiskSpec(path=str(old / "a.raw"), size=MIB, format="raw")
    spec = DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none", firmware="uefi", tpm=True)
    operations.create_domain(here, "a", spec)
    (old / "a.raw").write_bytes(b"data" * (MIB // 4))
    operations.start(here, "a", paused=True)
    operations.destroy(here, "a")
    uri = ssh_uri(cable.hosts[1], tmp_path)
    said = done(here.uri, "migrate", "a", uri, "--copy-storage", "--map-path", f"{old}={new}")
    assert said.startswith(f"a: is moved to {uri} shut off")
    assert not here.domains()
    assert (new / "a.raw").read_bytes() == (old / "a.raw").read_bytes()
    operations.start(there, "a", paused=True)
