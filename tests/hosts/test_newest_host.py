"""What only the newest libvirt has: flags of capabilities, <hwuuid>, <varstore>, iommufd, host-model of Hyper-V."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import Element, element, parse, serialize
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.domainxml.make.rescue import nvram_copy
from holdfast.domainxml.platform import Platform
from holdfast.errors import LibvirtRefused
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.host.outlook import HostOutlook, KnownGuest
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, image


def test_every_cpu_feature_that_libvirt_tells_on_request_can_be_had(newest: Connection) -> None:
    """Among them are those that it hides else, which an AMD processor with KVM has, and emulation has not."""
    platform = Platform.of(parse(newest.define(domain_xml()).xml(CONFIG)))
    told = read_capabilities(newest.domain_capabilities(*platform, all_cpu_features=True)).host_model
    usual = read_capabilities(newest.domain_capabilities(*platform)).host_model
    assert told is not None and usual is not None and len(told) > len(usual)
    domain = newest.define(domain_xml("b").replace("</features>", f"</features>{serialize(_sealed(told))}"))
    outlooks = HostOutlook(newest).hardware(parse(domain.xml(CONFIG)), KnownGuest())
    assert [str(outlook) for outlook in outlooks if outlook.part == "cpu"] == []
    domain.start(paused=True)


def _sealed(host_model: Element) -> Element:
    cpu = element("cpu", {"mode": "custom", "match": "exact", "check": "full"})
    cpu.append(element("model", {"fallback": "forbid"}, text=host_model.findtext("model")))
    cpu.extend(element("feature", {**feature.attrib}) for feature in host_model.iterfind("feature"))
    return cpu


HARDWARE_UUID = "11111111-2222-3333-4444-555555555555"


def test_the_uuid_for_the_guest_alone_is_what_it_gets_and_no_clone_has_it(newest: Connection) -> None:
    seen = f"<hwuuid>{HARDWARE_UUID}</hwuuid><memory"
    domain = newest.define(domain_xml().replace("<memory", seen))
    operations.start(newest, "a", paused=True)
    assert f"-uuid {HARDWARE_UUID} " in newest.qemu_command(domain.xml(CONFIG))
    shown = operations.show_domain(newest, "a")
    assert (shown.identity.uuid, shown.changes) == (HARDWARE_UUID, ())
    operations.destroy(newest, "a")
    operations.clone_domain(newest, "a", "b")
    assert "hwuuid" not in newest.find_domain("b").xml(CONFIG)


def test_an_import_has_another_uuid_for_libvirt_and_the_guest_its_own(newest: Connection, tmp_path: Path) -> None:
    """As a document of Nova's, whose SMBIOS says the UUID once more."""
    system = f"<sysinfo type='smbios'><system><entry name='uuid'>{HARDWARE_UUID}</entry></system></sysinfo>"
    document = domain_xml().replace("<memory", f"<uuid>{HARDWARE_UUID}</uuid><memory", 1)
    document = document.replace("</os>", f"<smbios mode='sysinfo'/></os>{system}", 1)
    before = newest.define(document)
    text = before.xml(CONFIG)
    (tmp_path / "a.xml").write_text(text)
    imported = operations.import_domain(newest, str(tmp_path / "a.xml"), new_name="b", new_uuid=True)
    assert imported.uuid != before.uuid == HARDWARE_UUID
    after = newest.find_domain("b").xml(CONFIG)
    assert not visible(compare(text, after))
    assert f"-uuid {HARDWARE_UUID} " in newest.qemu_command(after)


def test_variables_in_a_device_of_their_own_go_with_the_domain(newest: Connection, tmp_path: Path) -> None:
    """No firmware of Debian's uses them; libvirt and QEMU keep the file all the same."""
    template = tmp_path / "template.json"
    template.write_text('{"version": 2, "variables": []}')
    store = f"<loader type='rom'>/usr/share/ovmf/OVMF.fd</loader><varstore template='{template}'/></os>"
    domain = newest.define(domain_xml().replace("</os>", store))
    own = Path(nvram_of(parse(domain.xml(CONFIG))) or "")
    operations.adopt_domain(newest, "a")
    operations.start(newest, "a", paused=True)
    assert operations.show_domain(newest, "a").changes == ()
    config = domain.xml(CONFIG)
    medium = DiskSpec(path=str(image(tmp_path, "rescue")), format="raw")
    operations.rescue(newest, "a", medium, accept=True, force=True)
    assert nvram_of(parse(newest.find_domain("a").xml(LIVE))) == nvram_copy(str(own))
    operations.unrescue(newest, "a")
    assert visible(compare(config, domain.xml(CONFIG))) == []
    operations.destroy(newest, "a")
    operations.clone_domain(newest, "a", "b")
    copied = nvram_of(parse(newest.find_domain("b").xml(CONFIG)))
    assert copied is not None and copied.endswith(".json") and copied != str(own)
    operations.start(newest, "b", paused=True)


def test_a_domain_whose_devices_of_the_host_would_go_through_iommufd_starts_without_any(newest: Connection) -> None:
    """That the host has to have /dev/iommu for one is said of files, which those of a host in a folder are not."""
    domain = newest.define(domain_xml().replace("<memory", "<iommufd enabled='yes'/><memory"))
    operations.start(newest, "a", paused=True)
    assert operations.show_domain(newest, "a").changes == ()
    assert compare(domain_xml(), domain_xml().replace("<memory", "<iommufd enabled='yes'/><memory")) == []
    assert "<iommufd" in domain.xml(LIVE)


def test_hyperv_features_that_the_host_cannot_choose_stop_the_start_as_foretold(newest: Connection) -> None:
    """Emulation has none; with KVM they are expanded at each start."""
    newest.define(domain_xml().replace("<acpi/>", "<acpi/><hyperv mode='host-model'/>"))
    (plan,) = operations.plan_host(newest)
    assert [str(outlook) for outlook in plan.outlooks if outlook.stops] == [
        "the host has no Hyper-V features to choose from (hyperv mode='host-model')"
    ]
    with pytest.raises(LibvirtRefused, match="hyperv"):
        newest.find_domain("a").start(paused=True)
