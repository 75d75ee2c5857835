"""A guest that answers no detach, under Nova's driver on a real libvirt: prints where its devices are at each step.

Run by ``test_device_stories.py`` as ``device_stories.py stock|holdfast FOLDER``, in the judge's environment and within
an enclosure.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

importlib.import_module("nova.monkey_patch")  # before all else: it may patch the standard library

import nova.conf  # noqa: E402
from nova import exception, objects  # noqa: E402
from nova.virt.libvirt import driver as libvirt_driver  # noqa: E402

import libvirt  # noqa: E402
from holdfast.domainxml.address import describe_address  # noqa: E402
from holdfast.domainxml.device import alias, label  # noqa: E402
from holdfast.domainxml.document import devices, parse  # noqa: E402
from holdfast_lab.daemon import private_host  # noqa: E402
from holdfast_lab.patience import wait_until  # noqa: E402
from holdfast_nova.driver import HoldfastLibvirtDriver  # noqa: E402
from holdfast_nova.keeper import Purpose  # noqa: E402

CONF: Any = nova.conf.CONF
vconfig: Any = importlib.import_module("nova.virt.libvirt.config")
DRIVERS: dict[str, Any] = {"stock": libvirt_driver.LibvirtDriver, "holdfast": HoldfastLibvirtDriver}
UUID = "6f0c1a52-2c3e-4b1f-9f0e-0d8f4a3b2c1d"
MAC = "fa:16:3e:00:00:01"
PORTS = "".join(f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 12))
DOMAIN = f"""
<domain type='qemu'><name>instance-00000001</name><uuid>{UUID}</uuid><memory>65536</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices><controller type='pci' index='0' model='pcie-root'/>{PORTS}
  <controller type='usb' model='none'/><memballoon model='virtio'/></devices></domain>
"""


class Story:
    """One instance on one node; nobody answers when its guest is asked for a device: it is paused, with no system."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self._driver, self._folder = driver, folder
        self._instance = objects.Instance(uuid=UUID, task_state=None, numa_topology=None)
        driver._host.get_connection().defineXML(DOMAIN)
        self._guest().launch(pause=True)

    def _guest(self) -> Any:
        return self._driver._host.get_guest(self._instance)

    def attach(self, number: int) -> None:
        """Volume ``number``, as Nova attaches one."""
        self._guest().attach_device(self._conf(number), persistent=True, live=True)

    def attach_past_nova(self, number: int, flags: int) -> None:
        """Volume ``number``, as an operator attaches one with virsh."""
        self._guest()._domain.attachDeviceFlags(self._conf(number).to_xml(), flags)

    def _conf(self, number: int) -> Any:
        volume = vconfig.LibvirtConfigGuestDisk()
        volume.source_type, volume.driver_name, volume.driver_format = "file", "qemu", "raw"
        volume.source_path = str(self._folder / f"{number}.img")
        Path(volume.source_path).write_bytes(bytes(1 << 20))
        volume.target_dev, volume.target_bus = _target(number), "virtio"
        volume.serial = self._volume(number)
        volume.alias = vconfig.make_libvirt_device_alias(volume.serial)
        return volume

    def detach(self, number: int) -> str:
        """Volume ``number``, as Nova detaches one; what comes of it."""
        guest, target = self._guest(), _target(number)
        find = partial(self._driver._get_guest_disk_device, guest, target, volume_uuid=self._volume(number))
        try:
            self._driver._detach_with_retry(guest, UUID, find, target)
        except exception.NovaException as error:
            return type(error).__name__
        return "detached"

    def let_go(self, name: str) -> None:
        """The guest lets go of the device that it was asked for, and nobody waits for that any more."""
        domain = self._guest()._domain
        domain.detachDeviceAlias(self._alias(name), libvirt.VIR_DOMAIN_AFFECT_LIVE)
        domain.reset(0)
        wait_until(lambda: self._alias(name) is None, f"the guest has kept {name}")

    def _alias(self, name: str) -> str | None:
        return next(
            (alias(each) for each in _coming_and_going(self._guest().get_xml_desc()) if label(each) == name), None
        )

    def restart(self) -> None:
        """Switch it off, and start what is defined."""
        self._driver.power_off(self._instance)
        self._guest().launch(pause=True)

    def attach_port(self) -> None:
        """A port, as Nova attaches one."""
        self._guest().attach_device(_port(), persistent=True, live=True)

    def suspend_and_resume(self) -> None:
        """What Nova does with a port that is passed through before it saves the memory, and after it is restored."""
        guest, keeper = self._guest(), getattr(self._driver, "_keeper", None)
        self.let_go(MAC)
        with keeper.keep(self._instance, Purpose.SUSPEND) if keeper else nullcontext():
            self._driver._detach_with_retry(guest, UUID, partial(guest.get_interface_by_cfg, _port()), MAC)
        self.attach(3)
        guest.attach_device(_port())

    def tell(self, step: str, came: str = "") -> None:
        """Where each volume and port is in live, and in config."""
        documents = (self._guest().get_xml_desc(inactive) for inactive in (False, True))
        seats = [{label(each): describe_address(each) for each in _coming_and_going(text)} for text in documents]
        print(json.dumps([step, came, *seats]), flush=True)

    def _volume(self, number: int) -> str:
        return f"{number:08d}-0000-4000-8000-000000000000"


def _coming_and_going(document: str) -> list[Any]:
    return [each for each in devices(parse(document)) if each.tag in ("disk", "interface")]


def _target(number: int) -> str:
    return f"vd{'abcdefg'[number]}"


def _port() -> Any:
    port = vconfig.LibvirtConfigGuestInterface()
    port.net_type, port.mac_addr, port.model, port.target_dev = "ethernet", MAC, "virtio", "tap00000000-00"
    return port


def tell(story: Story) -> None:
    """All of it."""
    for number in (1, 2, 3):
        story.attach(number)
    story.tell("attached")
    story.tell("unanswered", story.detach(2))
    story.attach(4)
    story.tell("another")
    story.restart()
    story.tell("restarted")
    story.let_go("vdd")
    story.tell("late", story.detach(3))
    story.attach_port()
    story.tell("port")
    story.suspend_and_resume()
    story.tell("resumed")
    story.attach_past_nova(5, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    story.attach_past_nova(6, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE)
    story.tell("apart")
    story.restart()
    story.tell("restarted again")


def main() -> None:
    """With one of the drivers."""
    which, folder = sys.argv[1], Path(sys.argv[2])
    CONF([], project="nova", default_config_files=[])
    objects.register_all()
    with private_host("node") as host:
        CONF.set_override("connection_uri", host.uri, "libvirt")
        CONF.set_override("virt_type", "qemu", "libvirt")
        CONF.set_override("device_detach_attempts", 1, "libvirt")
        CONF.set_override("device_detach_timeout", 1, "libvirt")
        driver = DRIVERS[which](None)
        driver._host.initialize()
        tell(Story(driver, folder))


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except Exception:  # noqa: BLE001 - whatever it is
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)  # Nova's threads go on for ever
