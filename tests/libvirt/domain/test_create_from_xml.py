"""``holdfast create --from-xml``: what virt-install printed (4.1.0, Debian 12) becomes a sealed domain as it is."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdfast import operations
from holdfast.cli.main import holdfast
from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, canonical, devices, parse
from holdfast.errors import HoldfastError
from holdfast.errors.creation import DOMAIN_EXISTS, NO_IMAGE_TO_START, NOT_A_UUID
from holdfast.errors.images import NOT_RAW
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from tests.libvirt.commands import run
from tests.libvirt.domains import has_open_firmware, is_of_machine
from tests.raising import raising

PRINTED = {path.stem: path for path in (Path(__file__).parents[2] / "data" / "virt-install").glob("*.xml")}
NEVER_NAMED = {"controller", "input", "graphics", "audio", "console"}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The folder with the images that the documents name, under another path."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "root.qcow2", "1M"], check=True)
    (tmp_path / "install.iso").write_bytes(b"\0" * 4096)
    return tmp_path


def printed(name: str, images: Path) -> str:
    """A document of virt-install, with the folder of its images moved."""
    return PRINTED[name].read_text().replace("/images/", f"{images}/")


def startable(text: str) -> str:
    """Without what a domain cannot start with here: networks (the embedded libvirt has none), vhost-vsock."""
    text = text.replace('<interface type="network">', '<interface type="user">').replace(
        '<source network="default"/>', ""
    )
    return text if Path("/dev/vhost-vsock").exists() else re.sub("<vsock.*</vsock>", "", text, flags=re.DOTALL)


def config(connection: Connection, name: str = "a") -> Element:
    return parse(connection.find_domain(name).xml(Definition.CONFIG))


def sorted_devices(document: Element) -> list[bytes]:
    """At the first start libvirt (9.0) may put controllers into another order; their addresses stay."""
    return sorted(canonical(device) for device in document.iterfind("devices/*"))


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_printed_document_is_sealed_and_starts(connection: Connection, images: Path, name: str) -> None:
    if name == "new-disk":
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", images / "made-later.qcow2", "1M"], check=True)
    made = operations.create_domain_from_document(connection, startable(printed(name, images)))
    before = config(connection)
    assert before.get("type") == "qemu"
    assert not has_open_firmware(before) and before.find("cpu[@mode='host-model']") is None
    assert made.machine.startswith(("pc-q35-", "pc-i440fx-"))
    assert made.free_places is not None and made.free_places >= 16
    assert all(disk.findtext("serial") for disk in before.iterfind("devices/disk"))
    for device in devices(before):
        if device.tag not in NEVER_NAMED and device.find("model[@type='none']") is None and not is_of_machine(device):
            assert user_alias(device), f"{device.tag!r} has no alias of ours"
    domain = connection.find_domain("a")
    domain.start(paused=True)
    live = parse(domain.xml(Definition.LIVE))
    for path in ("os/loader", "os/nvram", "cpu/model", "devices/vsock/cid"):
        assert [canonical(node) for node in before.iterfind(path)] == [canonical(node) for node in live.iterfind(path)]
    domain.destroy()
    assert sorted_devices(config(connection)) == sorted_devices(before)
    twice = domain.xml(Definition.CONFIG)
    domain.start(paused=True)
    domain.destroy()
    assert domain.xml(Definition.CONFIG) == twice


def test_what_it_cannot_seal_is_said(connection: Connection, images: Path) -> None:
    made = operations.create_domain_from_document(connection, printed("headless-maximum", images))
    assert [note for note in made.notes if "maximum" in note]
    assert config(connection).find("devices/vsock/cid[@auto='no'][@address='3']") is not None


def test_context_id_of_another_domain_is_not_taken(connection: Connection, images: Path) -> None:
    text = printed("headless-maximum", images)
    one = parse(text)
    for disk in one.findall("devices/disk"):
        disk.getparent().remove(disk)  # type: ignore[union-attr]
    bare = canonical(one).decode()
    operations.create_domain_from_document(connection, bare)
    uuid = one.findtext("uuid") or ""
    operations.create_domain_from_document(connection, bare.replace(uuid, ""), name="b")
    cids = [config(connection, name).find("devices/vsock/cid") for name in ("a", "b")]
    assert [cid is not None and cid.get("address") for cid in cids] == ["3", "4"]


def test_name_on_the_command_line_renames(connection: Connection, images: Path) -> None:
    made = operations.create_domain_from_document(connection, printed("import", images), name="other")
    assert made.name == "other" and [domain.name for domain in connection.domains()] == ["other"]


def test_uuid_that_is_taken_is_refused(connection: Connection, images: Path) -> None:
    text = printed("import", images)
    operations.create_domain_from_document(connection, text)
    before = connection.find_domain("a").xml(Definition.CONFIG)
    with raising(DOMAIN_EXISTS, name="a"):
        operations.create_domain_from_document(connection, text)
    with raising(DOMAIN_EXISTS, name="a"):
        operations.create_domain_from_document(connection, text.replace("root.qcow2", "none.qcow2"), name="b")
    assert connection.find_domain("a").xml(Definition.CONFIG) == before


def test_uuid_has_one_spelling(connection: Connection, images: Path) -> None:
    text = printed("import", images)
    uuid = parse(text).findtext("uuid") or ""
    made = operations.create_domain_from_document(connection, text.replace(uuid, uuid.upper().replace("-", "")))
    assert made.uuid == uuid
    with raising(NOT_A_UUID, text="../../x"):
        operations.create_domain_from_document(connection, text.replace(uuid, "../../x"), name="b")


def test_image_that_is_made_later_is_said(connection: Connection, images: Path) -> None:
    text = printed("new-disk", images)
    with raising(NO_IMAGE_TO_START, path=f"{images}/made-later.qcow2"):
        operations.create_domain_from_document(connection, text, start=True)
    assert not connection.domains()
    made = operations.create_domain_from_document(connection, text)
    assert [note for note in made.notes if "there is no image" in note and "made-later" in note]


def test_format_it_states_is_checked(connection: Connection, images: Path) -> None:
    text = printed("import", images).replace('type="qcow2"', 'type="raw"')
    with raising(NOT_RAW, found="qcow2"):
        operations.create_domain_from_document(connection, text)
    operations.create_domain_from_document(connection, text, trust_format=True)


def test_command_reads_standard_input(connection: Connection, uri: str, images: Path) -> None:
    arguments = ["-c", uri, "create", "--from-xml", "-", "--root-ports", "20"]
    result = CliRunner().invoke(holdfast, arguments, input=printed("windows-11", images))
    assert result.exit_code == 0, result.output
    assert "uefi secure" in result.output and "20 places" in result.output
    assert config(connection).find("on_reboot[.='restart']") is not None, "the document that stays, not the installer's"


def test_one_name_is_given_once_to_many_at_a_time(connection: Connection, images: Path) -> None:
    text = "<domain type='qemu'><name>{}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            outcomes.append(operations.create_domain_from_document(connection, text.format("a")).uuid)
        except HoldfastError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (domain,) = connection.domains()
    assert outcomes.count(domain.uuid) == 1 and len(outcomes) == 4


@pytest.mark.parametrize("index", ["x", "²", "", "1_0"])
def test_number_that_is_none_is_told_with_its_place(connection: Connection, uri: str, images: Path, index: str) -> None:
    path = images / "document.xml"
    port = f"<devices><controller type='pci' index='{index}' model='pcie-root-port'/>"
    path.write_text(printed("import", images).replace("<devices>", port, 1))
    for dry_run in ([], ["--dry-run"]):
        result = run(uri, "create", "a", "--from-xml", str(path), *dry_run)
        place = f"devices/controller[1]@index is {index!r}, which is not a number"
        assert (result.exit_code, place in result.stderr) == (2, True), result.output
    assert list(connection.domains()) == []
