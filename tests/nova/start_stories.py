"""Stories of starts, as those of ``host_stories.py``: a CPU that the host cannot give, and what a rescue leaves."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.nova.host_stories import IMAGE, Story  # isort: skip - Nova's functional tests come before all else
from nova.conf import CONF
from nova.tests.fixtures import libvirt as fake
from nova.tests.functional.api import client

import libvirt
from holdfast.operations.manager.rescue import rescue_from_template


class Cpus(Story):
    """A host that cannot give every CPU any more."""

    def setUp(self) -> None:
        """Nova asks for a model by its name."""
        super().setUp()
        self.flags(cpu_mode="custom", cpu_models=["IvyBridge"], group="libvirt")
        self.replace("nova.virt.libvirt.driver.LibvirtDriver._check_cpu_compatibility", lambda _: None)
        self.start_compute()
        self.server = self._create_server(image_uuid=IMAGE, networks="none")

    def drop(self, model: str) -> None:
        """From now on the host has no such CPU."""
        compare = fake.Connection.compareHypervisorCPU

        def lacking(connection: Any, *platform: str | None) -> Any:
            if f">{model}<" not in str(platform[4]):
                return compare(connection, *platform)
            code, said = libvirt.VIR_ERR_CPU_INCOMPATIBLE, "the CPU is incompatible with host CPU: vmx, md-clear"
            raise fake.make_libvirtError(libvirt.libvirtError, said, error_code=code, error_message=said)

        self.replace("nova.tests.fixtures.libvirt.Connection.compareHypervisorCPU", lacking)

    def model(self) -> str:
        """The CPU that the domain has."""
        return str(self.document(self.server).findtext("cpu/model"))

    def run_of(self) -> Any:
        """libvirt's number of the run of the domain."""
        return self.connection().lookupByUUIDString(self.server["id"])._id

    def faults(self) -> str:
        """What the API tells of the last action."""
        request = self.api.get_instance_actions(self.server["id"])[0]["request_id"]
        action = self.api.api_get(f"/servers/{self.server['id']}/os-instance-actions/{request}").body["instanceAction"]
        return " ".join(str(event.get("details")) for event in action["events"])

    def test_running_one_is_not_switched_off_and_the_fault_names_what_lacks_and_the_way_out(self) -> None:
        self.drop("IvyBridge")
        self.flags(cpu_models=["Haswell"], group="libvirt")
        before = self.run_of()
        for kind in ("SOFT", "HARD"):
            self.api.post_server_action(self.server["id"], {"reboot": {"type": kind}})
            self._wait_for_server_parameter(self.server, {"OS-EXT-STS:task_state": None})
            self.assertEqual((before, "IvyBridge"), (self.run_of(), self.model()))
        name = self.server["OS-EXT-SRV-ATTR:instance_name"]
        said = f"the host cannot give '{name}' its CPU: it lacks CPU features: vmx, md-clear (on its host 'holdfast "
        self.assertIn(f"{said}unseal {name} --cpu', or [holdfast] cpu_policy = follow; then", self.stdlog.logger.output)
        self._stop_server(self.server)
        with self.assertRaises(client.OpenStackApiException):
            self.api.post_server_action(self.server["id"], {"os-start": None})
        self.assertIn(said, self.faults())

    def test_it_follows_novas_once_where_that_is_the_policy_and_stays_with_that(self) -> None:
        self.flags(cpu_policy="follow", group="holdfast")
        self.flags(cpu_models=["Haswell"], group="libvirt")
        self.hard_reboot(self.server)
        self.assertEqual("IvyBridge", self.model())
        self.drop("IvyBridge")
        self._reboot_server(self.server)
        self.assertEqual("Haswell", self.model())
        self.assertIn("The CPU follows: the host lacks CPU features: vmx, md-clear", self.stdlog.logger.output)
        self.flags(cpu_models=["Nehalem"], group="libvirt")
        self.hard_reboot(self.server)
        self.assertEqual("Haswell", self.model())


class Rescues(Story):
    """What a rescue leaves on the host."""

    def setUp(self) -> None:
        """A server that runs."""
        super().setUp()
        self.start_compute()
        self.server = self._create_server(image_uuid=IMAGE, networks="none")
        self.folder = Path(CONF.instances_path, self.server["id"])

    def rescue(self) -> None:
        """Through the API."""
        self.api.post_server_action(self.server["id"], {"rescue": {}})
        self._wait_for_state_change(self.server, "RESCUE")

    def test_the_document_with_its_passwords_is_its_owners_alone_as_soon_as_nova_has_written_it(self) -> None:
        modes = []

        def measured(*_: object, **__: object) -> None:
            written = self.folder / "unrescue.xml"
            modes.append((oct(written.stat().st_mode)[-3:], "<domain" in written.read_text()))

        self.replace("nova.virt.libvirt.driver.LibvirtDriver._create_image", measured)
        self.rescue()
        self.assertEqual([("600", True)], modes)

    def test_copy_of_the_nvram_that_this_user_may_not_remove_goes_by_novas_root(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        copy = Path(folder.name, "VARS.fd")

        def rescued(*given: Any) -> Any:
            copy.write_text("variables")
            return dataclasses.replace(rescue_from_template(*given), nvram_left=str(copy))

        self.replace("holdfast_nova.keeper.rescue_from_template", rescued)
        self.replace("nova.privsep.path.move_tree", shutil.move)
        self.rescue()
        self.assertFalse(copy.exists())
        self.assertFalse((self.folder / "nvram.rescue").exists())
        self.api.post_server_action(self.server["id"], {"unrescue": None})
        self._wait_for_state_change(self.server, "ACTIVE")
        failing = mock.patch("nova.privsep.path.move_tree", side_effect=PermissionError("no"))
        with failing:
            self.rescue()
        self.assertIn("The copy of its NVRAM that the rescue runs with stays: no", self.stdlog.logger.output)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[1:])
