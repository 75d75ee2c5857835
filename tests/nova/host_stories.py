"""Stories of instances and what the host gives them, with Nova's functional tests: the API, conductor, scheduler and
compute manager are Nova's, libvirt is Nova's fake with the judge's additions.

Run by ``test_host_stories.py`` as ``host_stories.py stock|holdfast STORY``, in the judge's environment.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

importlib.import_module("nova.tests.functional")  # may patch the standard library: before all else

from nova_judge import fake_libvirt, swap  # noqa: E402

fake_libvirt.install()
if sys.argv[1] == "holdfast":
    swap.swap()

from lxml import etree  # noqa: E402
from nova import exception  # noqa: E402
from nova.console import serial  # noqa: E402
from nova.tests.fixtures import libvirt as fake  # noqa: E402
from nova.tests.functional.api import client  # noqa: E402
from nova.tests.functional.libvirt import base, test_vgpu  # noqa: E402

from holdfast.errors import HoldfastError  # noqa: E402
from holdfast.history.entry import Entry  # noqa: E402
from holdfast.history.repository import HistoryPlace, Repository  # noqa: E402

IMAGE, ANOTHER = "155d900f-4e14-4e4c-a73d-069cbf4541e6", "a2459075-d96c-40d5-893e-577ff92e721c"


class Story(base.ServersTestBase):  # type: ignore[misc]
    """Servers on one compute node, which may be resized there."""

    microversion = "latest"
    ADMIN_API = True

    def setUp(self) -> None:
        """Nothing on the disk but the folders of instances."""
        super().setUp()
        self.flags(allow_resize_to_same_host=True)
        self.replace("nova.virt.libvirt.LibvirtDriver._get_instance_disk_info", lambda *_: [])

    def replace(self, name: str, by: Any) -> None:
        """Something of Nova's, until the story ends."""
        patch = mock.patch(name, by)
        patch.start()
        self.addCleanup(patch.stop)

    def connection(self) -> Any:
        """The fake libvirt of that node."""
        (compute,) = self.computes.values()
        return compute.driver._host.get_connection()

    def document(self, server: dict[str, Any]) -> Any:
        """What its domain runs with, or would."""
        return etree.fromstring(self.connection().lookupByUUIDString(server["id"]).XMLDesc(0))

    def hard_reboot(self, server: dict[str, Any]) -> None:
        """Through the API."""
        self._reboot_server(server, hard=True)


class History(Story):
    """A history is kept on the node."""

    def setUp(self) -> None:
        """It is this user's own, in a folder of the story."""
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = HistoryPlace(Path(folder.name), shared=False)
        self.replace("holdfast_nova.deed_recorder.place_of_history", lambda _: self.place)
        self.start_compute()

    def recorded(self, server: dict[str, Any]) -> list[Entry]:
        """Its entries, the first one first, once all are written."""
        (compute,) = self.computes.values()
        compute.driver._history._waiting.join()
        with Repository(self.place) as repository:
            return list(repository.entries(server["id"]))[::-1]

    def test_each_request_that_changes_the_hardware_or_starts_it_is_one_entry_of_who_asked(self) -> None:
        server = self._create_server(networks="none")
        self.neutron.create_port({"port": self.neutron.port_2})
        self._attach_interface(server, self.neutron.port_2["id"])
        self._stop_server(server)
        self._start_server(server)
        self.hard_reboot(server)
        self._delete_server(server)
        entries = self.recorded(server)
        done = ["spawn", "attach interface", "power on", "reboot", "destroy"]
        self.assertEqual([f"nova {deed}" for deed in done], [entry.command for entry in entries])
        for entry in entries:
            self.assertEqual(("nova", server["id"]), (entry.asked["manager"], entry.asked["instance"]))
            self.assertEqual((self.api.auth_user, self.api.project_id), (entry.asked["user"], entry.asked["project"]))
        requests = [entry.asked["request"] for entry in entries]
        actions = self.api.get_instance_actions(server["id"])
        self.assertEqual(requests, [each["request_id"] for each in actions[::-1] if each["action"] != "stop"])
        self.assertIn("interface", entries[1].sentences[1])
        self.assertEqual([True, False, True, True, False], [bool(entry.started) for entry in entries])

    def test_a_history_that_cannot_be_written_holds_up_nothing_and_is_told_once(self) -> None:
        self.place.folder.chmod(0o777)
        server = self._create_server(networks="none")
        self.hard_reboot(server)
        with self.assertRaises(HoldfastError):
            self.recorded(server)
        self.assertEqual(1, self.stdlog.logger.output.count("Not recorded in the history"))

    def test_without_one_or_where_it_is_switched_off_nothing_is_recorded(self) -> None:
        self.flags(history=False, group="holdfast")
        server = self._create_server(networks="none")
        self.assertEqual([], list(self.place.folder.iterdir()))
        self.flags(history=True, group="holdfast")
        self.place.folder.rmdir()
        self.hard_reboot(server)
        self.assertFalse(self.place.folder.exists())
        self.place.folder.mkdir()


class SerialPorts(Story):
    """``[serial_console]enabled``: a TCP port of the host is behind each serial port."""

    def setUp(self) -> None:
        """A port that a running guest has cannot be bound."""
        super().setUp()
        self.flags(enabled=True, group="serial_console")
        self.replace("nova.console.serial._verify_port", self._verify_port)
        self.replace("nova.console.serial.ALLOCATED_PORTS", set())
        self.start_compute()

    def _ports(self) -> list[tuple[str, int]]:
        running = [each for each in self.connection().listAllDomains(0) if each.isActive()]
        return [port for each in running for port in _ports(etree.fromstring(each.XMLDesc(0)))]

    def _verify_port(self, host: str, port: int) -> None:
        if (host, port) in self._ports():
            raise exception.SocketPortInUseException(host=host, port=port, error="in use")

    def create(self, **flavor: Any) -> dict[str, Any]:
        """A server that runs."""
        server: dict[str, Any] = self._create_server(image_uuid=IMAGE, networks="none", **flavor)
        return server

    def port(self, server: dict[str, Any]) -> int:
        """The one that is behind its serial port."""
        ((_, port),) = _ports(self.document(server))
        return port

    def check_none_is_lost(self) -> None:
        """No two guests have one port, and none is held that no guest has."""
        running = self._ports()
        self.assertEqual(len(set(running)), len(running))
        self.assertLessEqual(serial.ALLOCATED_PORTS, set(running))

    def test_start_of_one_whose_port_another_has_by_now(self) -> None:
        one = self.create()
        self._stop_server(one)
        other = self.create()
        self.assertEqual(self.port(one), self.port(other))
        self._start_server(one)
        self.assertNotEqual(self.port(one), self.port(other))
        self.hard_reboot(one)
        self.assertNotEqual(self.port(one), self.port(other))

    def test_start_that_fails(self) -> None:
        one = self.create()
        self._stop_server(one)
        other = self.create()
        for broken in ("holdfast_nova.keeper.Keeper.prepare", "nova.virt.libvirt.guest.Guest.launch"):
            fails = mock.patch(broken, side_effect=exception.NovaException("no"))
            with fails, self.assertRaises(client.OpenStackApiException):
                self.api.post_server_action(one["id"], {"os-start": None})
            in_documents = {("127.0.0.1", self.port(each)) for each in (one, other)}
            self.assertLessEqual(serial.ALLOCATED_PORTS, in_documents)
        self._start_server(one)
        self.check_none_is_lost()

    def test_rebuild_of_one_whose_port_another_has_by_now(self) -> None:
        one = self.create()
        self._stop_server(one)
        other = self.create()
        self.flags(response_validation="ignore", group="api")  # Nova's own schema misses a field of a stopped server
        self._rebuild_server(one, ANOTHER, expected_state="SHUTOFF")
        self._start_server(one)
        self.assertNotEqual(self.port(one), self.port(other))

    def test_another_address_of_the_proxy(self) -> None:
        one = self.create()
        self.flags(proxyclient_address="127.0.0.9", group="serial_console")
        self.hard_reboot(one)
        self.assertEqual("127.0.0.9", _ports(self.document(one))[0][0])

    def test_documents_that_are_generated_twice_hold_their_ports_once(self) -> None:
        self.flags(port_range="10000:10003", group="serial_console")
        one, other = self.create(), self.create()
        larger = self._create_flavor(memory_mb=4096)
        self._resize_server(one, larger)
        self.check_none_is_lost()
        self._revert_resize(one)
        self.check_none_is_lost()
        self._resize_server(one, larger)
        self._confirm_resize(one)
        self._rebuild_server(other, ANOTHER)
        self.check_none_is_lost()

    def test_rescue_of_one_whose_port_another_has_by_now(self) -> None:
        one = self.create()
        self._stop_server(one)
        other = self.create()
        self.api.post_server_action(one["id"], {"rescue": {}})
        self._wait_for_state_change(one, "RESCUE")
        self.check_none_is_lost()
        self.assertNotEqual(self.port(one), self.port(other))
        self.api.post_server_action(one["id"], {"unrescue": None})
        self._wait_for_state_change(one, "ACTIVE")
        self.assertNotEqual(self.port(one), self.port(other))


def _ports(document: Any) -> list[tuple[str, int]]:
    sources = document.findall("devices/serial[@type='tcp']/source")
    return [(source.get("host"), int(source.get("service"))) for source in sources]


class Vgpus(Story, test_vgpu.VGPUTestBase):  # type: ignore[misc]
    """A mediated device of the host's GPU is behind each vGPU."""

    def setUp(self) -> None:
        """Nova makes the devices where none is free."""
        super().setUp()
        self.flags(enabled_mdev_types=fake.NVIDIA_11_VGPU_TYPE, group="devices")
        self.start_compute_with_vgpu("host1", fake.HostPCIDevicesInfo(num_pci=0, num_pfs=0, num_vfs=0, num_mdevcap=1))

    def flavor(self, vgpus: int, memory: int = 512) -> str:
        """The id of one."""
        return str(self._create_flavor(memory_mb=memory, extra_spec={"resources:VGPU": str(vgpus)}))

    def create(self, vgpus: int = 1) -> dict[str, Any]:
        """A server that runs."""
        made: dict[str, Any] = self._create_server(image_uuid=IMAGE, flavor_id=self.flavor(vgpus), networks="none")
        return made

    def mdevs(self, server: dict[str, Any]) -> list[str]:
        """The devices that its domain has."""
        found = self.document(server).findall("devices/hostdev[@type='mdev']/source/address")
        return [address.get("uuid") for address in found]

    def test_rebuild_on_a_gpu_that_is_full(self) -> None:
        server = self.create()
        before = self.mdevs(server)
        self.replace("nova.virt.libvirt.driver.LibvirtDriver._create_new_mediated_device", lambda *_: None)
        self._rebuild_server(server, ANOTHER)
        self.assertEqual(before, self.mdevs(server))

    def test_rebuild_on_a_gpu_that_has_other_devices_too(self) -> None:
        server, *others = [self.create(vgpus=2) for _ in range(3)]
        before = self.mdevs(server)
        for other in others:
            self._delete_server(other)
        self._rebuild_server(server, ANOTHER)
        self.assertEqual(before, self.mdevs(server))

    def test_revert_where_another_server_has_the_device_by_now(self) -> None:
        one = self.create()
        before = self.mdevs(one)
        self._resize_server(one, self.flavor(1, memory=1024))
        other = self.create()
        self.assertEqual(before, self.mdevs(other))
        self._revert_resize(one)
        self.assertEqual((before, 1), (self.mdevs(other), len(self.mdevs(one))))
        self.assertNotEqual(before, self.mdevs(one))

    def test_revert_where_another_server_has_one_of_the_devices_by_now(self) -> None:
        one = self.create(vgpus=2)
        before = self.mdevs(one)
        self._resize_server(one, self.flavor(2, memory=1024))
        (taken,) = self.mdevs(self.create())
        self._revert_resize(one)
        now = self.mdevs(one)
        self.assertNotIn(taken, now)
        self.assertEqual([uuid for uuid in before if uuid != taken], [uuid for uuid in now if uuid in before])
        self.assertEqual(2, len(set(now)))

    def test_revert_where_the_device_is_free(self) -> None:
        server = self.create()
        before = self.mdevs(server)
        self._resize_server(server, self.flavor(1, memory=1024))
        self._revert_resize(server)
        self.assertEqual(before, self.mdevs(server))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[1:])
