"""``plan host --probe``: what a QEMU of each host makes of the same document, beside what the plan foretells."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.host.outlook import Outlook
from holdfast.errors.hosts import NO_MEMORY_TO_PROBE, PROBE_OF_ONE
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast_lab.patience import wait_until
from tests.corpus import CORPUS
from tests.libvirt.domains import domain_xml
from tests.raising import raising


def probed(here: Connection, there: Connection, name: str) -> list[Outlook]:
    """What only the probe says of the domain."""
    plain, probing = (next(operations.plan_host(here, there, [name], probe=probe)).outlooks for probe in (False, True))
    assert probing[: len(plain)] == plain
    return list(probing[len(plain) :])


def test_a_probe_sees_what_is_foretold_and_what_no_document_tells(
    older: Connection, newer: Connection, elsewhere: Connection, folder: Path
) -> None:
    """Under QEMU 7.2 here and 10.0 on a remote host: queues, the watchdog, and tables that QEMU and its BIOS make."""
    older.define(CORPUS["disk-virtio"].document(folder))
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    seen = probed(older, elsewhere, "disk-virtio")
    sentences = [str(outlook) for outlook in seen]
    assert "the length of the queues of virtio-blk virtio-disk0: 1024, was 256" in sentences
    assert "the watchdog iTCO: resets the guest, was cannot reset the guest" in sentences
    (bios,) = [each for each in sentences if each.startswith("the SMBIOS structure 0 (BIOS)")]
    assert "1.16.3" in bios and "said SeaBIOS, 1.16.2" in bios
    assert any(each.startswith("the ACPI table DSDT: other content (") for each in sentences)
    assert {outlook.part for outlook in seen} >= {"acpi", "smbios", "pci", "virtio", "watchdog", "probe"}
    assert sentences[-1] == "not probed: the image of disk vda: it is empty"
    assert [domain.name for domain in (*older.domains(), *newer.domains())] == ["disk-virtio"]
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_under_one_qemu_nothing_differs(older: Connection, older_uri: str) -> None:
    """With the UEFI that libvirt chooses today, whose tables are elsewhere than a BIOS has them."""
    chosen = "<os firmware='efi'><firmware><feature enabled='no' name='secure-boot'/></firmware>"
    older.define(domain_xml().replace("<os>", chosen))
    with open_connection(older_uri) as again:
        assert [str(outlook) for outlook in probed(older, again, "a")] == ["not probed: its UEFI variables"]


def test_a_firmware_that_nobody_runs_without_its_variables_is_not_probed(
    older: Connection, newer: Connection, folder: Path
) -> None:
    older.define(CORPUS["firmware-automatic-with-secure-loader"].document(folder))
    (said,) = probed(older, newer, "firmware-automatic-with-secure-loader")
    assert str(said).startswith("not probed: the domain: its firmware (Secure Boot)")


def test_a_probe_goes_with_the_command_that_started_it(
    older: Connection, newer: Connection, older_uri: str, newer_uri: str
) -> None:
    older.define(domain_xml())
    command = [sys.executable, "-m", "holdfast", "-c", older_uri, "plan", "host", newer_uri, "--probe", "-d", "a"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        wait_until(newer.domains, "no probe was started")
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not newer.domains(), "the probe is still there")
    assert [domain.name for domain in older.domains()] == ["a"]


def test_a_probe_is_refused_where_memory_is_short(older: Connection, newer: Connection) -> None:
    older.define(domain_xml().replace("<memory unit='MiB'>64", "<memory unit='TiB'>2"))
    with raising(NO_MEMORY_TO_PROBE):
        list(operations.plan_host(older, newer, ["a"], probe=True))


def test_a_probe_needs_two_hosts_and_a_name(older: Connection, newer: Connection) -> None:
    for target, names in ((None, ["a"]), (newer, [])):
        with raising(PROBE_OF_ONE):
            operations.plan_host(older, target, names, probe=True)


def test_what_the_other_host_cannot_start_is_said_and_the_rest_of_the_plan_stands(
    older: Connection, newer: Connection, folder: Path
) -> None:
    older.define(CORPUS["machine-pc-i440fx-2.0"].document(folder))
    (said,) = [str(each) for each in probed(older, newer, "machine-pc-i440fx-2.0")]
    assert said.startswith(f"the probe at {newer.uri} failed: ")
    assert [domain.name for domain in (*older.domains(), *newer.domains())] == ["machine-pc-i440fx-2.0"]
