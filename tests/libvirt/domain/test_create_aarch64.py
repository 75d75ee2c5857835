"""A domain of another architecture: created sealed, changed while it runs, restarted and rescued as any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse, value_at
from holdfast.domainxml.make.open_parts import open_parts
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, image, place
from tests.libvirt.power.rescues import booted, intended, medium, whereabouts
from tests.raising import raising

MIB = 1 << 20
MAC = "52:54:00:00:00:01"
pytestmark = [
    pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="qemu-system-arm is not installed"),
    pytest.mark.skipif(not Path("/usr/share/AAVMF/AAVMF_CODE.fd").exists(), reason="qemu-efi-aarch64 is not installed"),
]


def spec(folder: Path, **more: object) -> DomainSpec:
    root = DiskSpec(path=str(image(folder, "root")), format="raw")
    given = {"memory": 64 * MIB, "arch": "aarch64", "disks": (root,), "interfaces": (InterfaceSpec(kind="user"),)}
    return DomainSpec(**{**given, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("graphics", ["none", "vnc"])
def test_an_aarch64_domain_is_sealed_with_its_places_free(
    connection: Connection, tmp_path: Path, graphics: str
) -> None:
    given = spec(tmp_path, graphics=graphics, tpm=True, cdroms=(str(image(tmp_path, "cd")),))
    created = operations.create_domain(connection, "a", given)
    config = parse(created.document)
    assert created.machine.startswith("virt-")
    assert created.firmware.startswith("uefi /usr/share/AAVMF/AAVMF_CODE.")
    assert created.cpu == "cortex-a57"
    assert value_at(config, "features/gic@version") is not None
    assert value_at(config, "devices/tpm@model") == "tpm-tis"
    assert config.find("devices/disk[@device='cdrom']/target[@bus='scsi']") is not None
    assert len(hotplug_places(config)) == created.free_places == 16
    assert list(open_parts(config)) == []


def test_an_aarch64_domain_has_no_bios(connection: Connection, tmp_path: Path) -> None:
    with raising(UNKNOWN_WORD, what="aarch64 firmware", word="bios"):
        operations.create_domain(connection, "a", spec(tmp_path, firmware="bios"))


def test_what_is_attached_to_a_running_aarch64_domain_stays_through_a_hard_reboot_and_a_rescue(
    connection: Connection, tmp_path: Path
) -> None:
    operations.create_domain(connection, "a", spec(tmp_path))
    domain = connection.find_domain("a")
    domain.start(paused=True)
    operations.attach_disk(connection, "a", DiskSpec(path=str(image(tmp_path, "data")), format="raw"))
    operations.attach_interface(connection, "a", InterfaceSpec(kind="user", mac=MAC))
    at = place(domain, "vdb"), place(domain, MAC)
    assert done(connection.uri, "diff", "a@live", "a@config") == "the guest sees no difference\n"
    operations.reboot(connection, "a", hard=True)
    assert (place(domain, "vdb"), place(domain, MAC)) == at
    config = parse(domain.xml(CONFIG))
    rescued = operations.rescue(connection, "a", medium(tmp_path), force=True)
    assert whereabouts(domain, config) == intended(config)
    assert booted(domain)[0] == rescued.label
    operations.unrescue(connection, "a", start=False)
    domain.start(paused=True)
    assert whereabouts(domain, config) == intended(config)
