"""``holdfast diff``: two documents as the guest sees them, from domains, files and standard input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdfast import operations
from holdfast.cli.main import holdfast
from holdfast.errors.look import INPUT_TWICE
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running
from tests.raising import raising

RNG = "<rng model='virtio'><backend model='builtin'/></rng>"


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_an_untouched_domain_does_not_differ(connection: Connection, uri: str, machine: str) -> None:
    running(connection, machine=machine)
    assert done(uri, "diff", "a@live", "a@config") == "the guest sees no difference\n"
    assert json.loads(done(uri, "diff", "a", "a@config", "-o", "json"))["changes"] == []


def test_a_device_of_one_document_only_is_found(connection: Connection, uri: str) -> None:
    domain = running(connection)
    domain.attach(RNG, CONFIG)
    result = run(uri, "diff", "a@live", "a@config")
    assert result.exit_code == 3
    assert result.stdout == "rng is added at pci 0000:02:00.0\n"
    assert run(uri, "diff", "a@config", "a@live").stdout == "rng is removed, it was at pci 0000:02:00.0\n"


def test_a_device_that_will_move_is_one_change(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = running(connection)
    domain.attach(RNG, CONFIG)
    disk = disk_xml(tmp_path, "data", "vda")
    domain.attach(disk, LIVE)
    domain.attach(disk, CONFIG)
    lines = run(uri, "diff", "a@live", "a@config").stdout.splitlines()
    assert "disk vda moved from pci 0000:02:00.0 to pci 0000:03:00.0" in lines
    assert len(lines) == 2


def test_a_plain_name_is_the_live_document_while_the_domain_runs(connection: Connection, uri: str) -> None:
    domain = running(connection)
    domain.attach(RNG, CONFIG)
    assert run(uri, "diff", "a", "a@live").exit_code == 0
    assert run(uri, "diff", "a", "a@config").exit_code == 3
    domain.destroy()
    assert run(uri, "diff", "a", "a@config").exit_code == 0


def test_a_domain_named_like_a_document_is_found_by_its_name(connection: Connection, uri: str) -> None:
    connection.define(domain_xml("a@live", machine="pc"))
    a = connection.define(domain_xml("a"))
    a.start(paused=True)
    assert run(uri, "diff", "a@live", "a@live@config").exit_code == 0
    assert run(uri, "diff", "a@live", "a").exit_code == 3
    assert run(uri, "diff", f"{a.uuid}@live", "a").exit_code == 0


def test_a_file_is_compared_with_a_domain(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = connection.define(domain_xml())
    file = tmp_path / "saved.xml"
    file.write_text(domain.xml(CONFIG))
    monkeypatch.chdir(tmp_path)
    for name in (str(file), "saved.xml"):
        assert run(uri, "diff", name, "a").exit_code == 0
    file.write_text(domain.xml(CONFIG).replace("<memory unit='KiB'>65536", "<memory unit='KiB'>131072"))
    result = run(uri, "diff", str(file), "a", "-o", "json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["changes"][0]["sentence"] == "memory is 64 MiB, was 128 MiB"


def test_two_files_need_no_libvirt(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(domain_xml())
    command = ["-c", "nothing://at/all", "diff", "-", str(file)]
    assert CliRunner().invoke(holdfast, command, input=domain_xml()).exit_code == 0
    assert CliRunner().invoke(holdfast, command, input=domain_xml(machine="pc")).exit_code == 3


def test_cosmetic_changes_are_told_and_do_not_count(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = connection.define(domain_xml())
    file = tmp_path / "renamed.xml"
    file.write_text(domain.xml(CONFIG).replace("<name>a</name>", "<name>b</name>"))
    assert (
        done(uri, "diff", "a", str(file))
        == "name is b, was a (the guest does not see it)\nthe guest sees no difference\n"
    )


def test_what_is_not_there_is_said_in_one_sentence(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml())
    broken = tmp_path / "broken.xml"
    broken.write_text("<domain>\n<name>")
    for name, code, words in (
        ("nobody", 4, "there is no domain 'nobody'"),
        ("nobody@live", 4, "there is no domain 'nobody'"),
        ("a@live", 1, "'a' is not running"),
        ("./none.xml", 4, "there is no file ./none.xml"),
        (str(tmp_path / "broken.xml"), 2, "line 2"),
        (str(tmp_path), 1, "cannot read"),
    ):
        result = run(uri, "diff", name, "a")
        assert (result.exit_code, words in result.stderr) == (code, True), result.output
        assert "Traceback" not in result.output
    assert run(uri, "diff", str(broken), "a").stderr.startswith(f"error: {broken}: ")


def test_both_from_standard_input_makes_no_sense() -> None:
    with raising(INPUT_TWICE):
        operations.diff(None, "-", "-")


def test_a_transient_domain_has_no_config(connection: Connection, uri: str) -> None:
    domain = running(connection)
    domain.undefine()
    assert run(uri, "diff", "a", "a@live").exit_code == 0
    result = run(uri, "diff", "a", "a@config")
    assert (result.exit_code, "transient" in result.stderr) == (3, True)


WRITTEN = """
<domain type='qemu'>
  <name>a</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
  <devices><interface type='user'><model type='virtio'/></interface><graphics type='vnc'/></devices>
</domain>
"""


def test_a_file_written_by_hand_counts_as_libvirt_completes_it(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = connection.define(WRITTEN)
    file = tmp_path / "written.xml"
    file.write_text(WRITTEN)
    told = json.loads(run(uri, "diff", "a", str(file), "-o", "json").stdout)
    assert (told["asked_of_libvirt"], told["changes"]) == (True, [])
    assert told["notes"] == ["the file leaves open what libvirt then makes up: the UUID, MAC addresses"]
    assert "the guest sees no difference" in done(uri, "diff", str(file), "a")
    file.write_text(domain.xml(CONFIG).replace("<model type='virtio'/>", "<model type='e1000'/>"))
    assert [str(change) for change in operations.diff(connection, "a", str(file)).changes] != []


def test_a_file_is_compared_as_it_stands_where_libvirt_is_not_asked(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    connection.define(WRITTEN)
    file = tmp_path / "written.xml"
    for text, options, words in (
        (WRITTEN, (uri, "-r"), "not asked of libvirt: the connection may only read"),
        (WRITTEN.replace("<os>", "<flux/><os>"), (uri,), "not asked of libvirt: it refuses this document: "),
    ):
        file.write_text(text)
        result = run(*options, "diff", "a", str(file))
        assert (result.exit_code, "is removed" in result.stdout) == (3, True)
        assert f"note: {words}" in result.stdout
        assert json.loads(run(*options, "diff", "a", str(file), "-o", "json").stdout)["asked_of_libvirt"] is False
