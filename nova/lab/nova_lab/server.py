"""One server as its user handles it, through openstacksdk: every step returns when the cloud says that it is done."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from openstack.exceptions import BadRequestException

from holdfast.errors import NotFound
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from nova_lab import cloud, config
from nova_lab.lab import Lab
from nova_lab.world import LabError

if TYPE_CHECKING:
    from openstack.block_storage.v3.snapshot import Snapshot
    from openstack.connection import Connection
    from openstack.network.v2.port import Port


class Server:
    """A server of the lab, its volumes and its ports by the labels that they were given here."""

    def __init__(self, lab: Lab, name: str, boots_from_volume: bool = False) -> None:
        self.lab = lab
        self.name = name
        self.boots_from_volume = boots_from_volume
        self.id = ""
        self.volumes: dict[str, str] = {}
        """Label → id; the guest sees the first 20 characters as the disk's serial."""
        self.ports: dict[str, Port] = {}
        """Label → the network's port."""

    @property
    def cloud(self) -> Connection:
        """openstacksdk's connection."""
        return self.lab.openstack

    @property
    def guest(self) -> Guest:
        """The probe guest in it."""
        return self.lab.guest(self.id)

    @property
    def labels(self) -> dict[str, str]:
        """Serial of a disk or MAC of an interface as the guest tells it → label."""
        disks = {volume[:20]: label for label, volume in self.volumes.items()}
        return disks | {port.mac_address: label for label, port in self.ports.items()}

    def create(
        self,
        image: str = "probe-q35",
        networks: tuple[str, ...] = ("neta", "netb"),
        volumes: tuple[str, ...] = (),
        flavor: str = "small",
        poll: float = 0.3,
        wait: bool = True,
    ) -> None:
        """Boot from ``image`` with a config drive, a port on each network and new volumes of these labels.

        A server that boots from a volume gets a new one of the image, with the label "root".

        With ``wait`` it returns once the server is active; it asks every ``poll`` seconds.
        """
        image_id = self.cloud.image.find_image(image, ignore_missing=False).id
        disks: list[dict[str, object]] = []
        if self.boots_from_volume:
            self.new_volume("root", image=image_id)
        else:
            disks.append({"boot_index": 0, "uuid": image_id, "source_type": "image", "destination_type": "local"})
            disks[0]["delete_on_termination"] = True
        for label in volumes:
            self.new_volume(label)
        for label, volume in self.volumes.items():
            boot_index = 0 if label == "root" else -1
            disks.append({"boot_index": boot_index, "uuid": volume, "source_type": "volume"})
            disks[-1]["destination_type"] = "volume"
        ports = [self.new_port(f"interface {number}", network) for number, network in enumerate(networks, 1)]
        server = self.cloud.compute.create_server(
            name=self.name,
            image_id="" if self.boots_from_volume else image_id,
            flavor_id=self.flavor(flavor),
            networks=[{"port": port.id} for port in ports] or "none",
            block_device_mapping=disks,
            config_drive=True,
        )
        self.id = server.id
        if wait:
            self.wait("ACTIVE", poll)

    def create_and_rearrange(self) -> None:
        """Boot, then attach and detach such that a document generated anew would have the hardware elsewhere."""
        self.create(networks=("neta",), volumes=("volume 1",))
        self.booted()
        self.attach_volume("volume 2")
        self.attach_interface("interface 2", "netb")
        self.detach_volume("volume 1")
        self.soft_reboot()

    def new_volume(self, label: str, size: int = 1, image: str | None = None) -> str:
        """A new volume of ``size`` GiB, empty or of the image with this id; its id."""
        volume = self.cloud.block_storage.create_volume(name=label, size=size, image_id=image)
        self.volumes[label] = volume.id
        self._wait_for_volume(label, "available")
        return str(volume.id)

    def new_port(self, label: str, network: str) -> Port:
        """A new port on ``network``."""
        network_id = self.cloud.network.find_network(network, ignore_missing=False).id
        self.ports[label] = self.cloud.network.create_port(network_id=network_id, name=label)
        return self.ports[label]

    def wait(self, status: str, poll: float = 0.3) -> None:
        """Wait until nothing is in progress and the server has this status. Raises LabError where it has another.

        It asks every ``poll`` seconds.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            server = self.cloud.compute.get_server(self.id)
            if server.task_state is None and server.status in (status, "ERROR"):
                break
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} is {server.status} ({server.task_state}), not {status}")
            time.sleep(poll)
        if server.status != status:
            fault = (server.fault or {}).get("message", "no fault is told")
            raise LabError(f"{self.name} is {server.status}: {fault}; see {self.lab.compute_log}")

    def attach_volume(self, label: str) -> None:
        """Attach a volume, a new one unless it is there, and wait until the guest has it."""
        self.give_volume(label)
        self.guest.wait_until(lambda seen: seen.disk(self.volumes[label]))

    def give_volume(self, label: str) -> None:
        """Attach a volume, a new one unless it is there, to a guest that may not see it yet."""
        if label not in self.volumes:
            self.new_volume(label)
        self.cloud.compute.create_volume_attachment(self.id, volume_id=self.volumes[label])
        self._wait_for_volume(label, "in-use")

    def detach_volume(self, label: str) -> None:
        """Detach a volume; the guest releases it."""
        self.cloud.compute.delete_volume_attachment(self.volumes[label], self.id)
        self._wait_for_volume(label, "available")
        self.guest.wait_until(lambda seen: not seen.disk(self.volumes[label]))

    def detach_volume_in_vain(self, label: str) -> None:
        """Detach a volume that the guest does not release: Nova gives up, and it stays attached."""
        self.cloud.compute.delete_volume_attachment(self.volumes[label], self.id)
        self._wait_for_volume(label, "in-use")

    def attach_interface(self, label: str, network: str = "neta") -> None:
        """Attach a new port and wait until the guest has it."""
        port = self.new_port(label, network)
        self.cloud.compute.create_server_interface(self.id, port_id=port.id)
        self.guest.wait_until(lambda seen: seen.interface(port.mac_address))

    def detach_interface(self, label: str) -> None:
        """Detach a port; the guest releases it."""
        port = self.ports[label]
        self.cloud.compute.delete_server_interface(port.id, self.id)
        self.guest.wait_until(lambda seen: not seen.interface(port.mac_address))
        self._until(lambda: not self.cloud.network.get_port(port.id).device_id, f"port {port.id} stays bound")

    def soft_reboot(self) -> None:
        """The guest shuts down by its power button, and is started again."""
        self.cloud.compute.reboot_server(self.id, "SOFT")
        self._booted("ACTIVE")

    def hard_reboot(self) -> None:
        """Off and on again."""
        self.cloud.compute.reboot_server(self.id, "HARD")
        self._booted("ACTIVE")

    def stop(self) -> None:
        """Shut down."""
        self.cloud.compute.stop_server(self.id)
        self.wait("SHUTOFF")

    def start(self) -> None:
        """Start what is shut down."""
        self.cloud.compute.start_server(self.id)
        self._booted("ACTIVE")

    def pause(self) -> None:
        """Stop the guest's processors."""
        self.cloud.compute.pause_server(self.id)
        self.wait("PAUSED")

    def unpause(self) -> None:
        """Let the processors go on."""
        self.cloud.compute.unpause_server(self.id)
        self.wait("ACTIVE")

    def suspend(self) -> None:
        """Write the guest's memory to the disk, and off."""
        self.cloud.compute.suspend_server(self.id)
        self.wait("SUSPENDED")

    def resume(self) -> None:
        """The guest goes on where it was suspended."""
        self.cloud.compute.resume_server(self.id)
        self.wait("ACTIVE")
        self.guest.close()  # its console is another now

    def rescue(self, image: str | None = None) -> None:
        """Boot from a rescue disk; the server's own image unless another is named.

        One that boots from a volume is rescued only by an image that says on which bus its disk is to be.
        """
        if self.boots_from_volume and image is None:
            image = cloud.RESCUE
        found = None if image is None else self.cloud.image.find_image(image, ignore_missing=False).id
        self.cloud.compute.rescue_server(self.id, image=found)
        self._booted("RESCUE")

    def unrescue(self) -> None:
        """Boot from the root disk again."""
        self.cloud.compute.unrescue_server(self.id)
        self._booted("ACTIVE")

    def snapshot(self) -> None:
        """Make an image of the running server; it is removed at once, with the snapshots of volumes that it names."""
        self.guest.close()  # from a disk in Ceph Nova copies while the guest is saved, and its console is another then
        image = self.cloud.compute.create_server_image(self.id, f"{self.name}-snapshot")
        self._until(lambda: self.cloud.image.get_image(image.id).status == "active", "the snapshot does not end")
        self.wait("ACTIVE")
        self.cloud.image.delete_image(image.id)
        for snapshot in self._snapshots():
            self.cloud.block_storage.delete_snapshot(snapshot)
        self._until(lambda: not self._snapshots(), "the volumes' snapshots are not deleted")

    def _snapshots(self) -> list[Snapshot]:
        return [each for each in self.cloud.block_storage.snapshots() if each.volume_id in self.volumes.values()]

    def extend_volume(self, label: str, size: int = 2) -> None:
        """Make an attached volume larger, in GiB; the guest sees it."""
        self.cloud.block_storage.extend_volume(self.volumes[label], size)
        self._wait_for_volume(label, "in-use")
        wanted = size << 30
        self.guest.wait_until(lambda seen: (disk := seen.disk(self.volumes[label])) and disk.size == wanted)

    def move_volume(self, label: str) -> None:
        """Let Cinder move an attached volume to its other backend, for which Nova swaps it under the guest."""
        before = self.cloud.block_storage.get_volume(self.volumes[label]).host
        (host,) = {f"cloud@{backend}#{backend}" for backend in config.BACKENDS} - {before}
        self.cloud.block_storage.migrate_volume(self.volumes[label], host=host, force_host_copy=True)

        def moved() -> bool:
            volume = self.cloud.block_storage.get_volume(self.volumes[label])
            if volume.migration_status == "error":
                raise LabError(f"Cinder did not move {label}; see {self.lab.compute_log}")
            return bool(volume.host == host and volume.migration_status == "success")

        self._until(moved, f"{label} is not moved to {host}")

    def resize(self, flavor: str) -> None:
        """Give the server another flavor, on the same host; it is to be confirmed or reverted."""
        self.cloud.compute.resize_server(self.id, self.flavor(flavor))
        self._booted("VERIFY_RESIZE")

    def confirm_resize(self) -> None:
        """Keep the new flavor."""
        self.cloud.compute.confirm_server_resize(self.id)
        self.wait("ACTIVE")

    def revert_resize(self) -> None:
        """Back to the old flavor."""
        self.cloud.compute.revert_server_resize(self.id)
        self._booted("ACTIVE")

    def rebuild(self, image: str = "probe-q35") -> None:
        """A new root disk from ``image``."""
        self.cloud.compute.rebuild_server(self.id, image=self.cloud.image.find_image(image, ignore_missing=False).id)
        self._booted("ACTIVE")

    def set_machine_type(self, machine: str) -> None:
        """As an operator does with nova-manage while the server is off; from alias to version it is forced."""
        self._manage("libvirt", "update_machine_type", self.id, machine, "--force")

    def set_image_property(self, name: str, value: str) -> None:
        """As an operator does with nova-manage, while the server is shut down."""
        self._manage("image_property", "set", self.id, "--property", f"{name}={value}")

    def delete(self) -> None:
        """Delete the server; its volumes and ports stay."""
        self.cloud.compute.delete_server(self.id, ignore_missing=True)
        self._until(lambda: self.cloud.compute.find_server(self.id) is None, f"{self.name} is not deleted")

    def left_behind(self) -> list[str]:
        """What the host still has of a server that was deleted, in words."""
        node = self.lab.node
        left = [str(path) for path in (node.folder / "nova" / "instances").glob(f"{self.id}*")]
        with contextlib.suppress(NotFound):
            left.append(f"domain {self.lab.domain(self.id).name}")
        links = node.run("links", "ip", "-oneline", "link")
        left += [self.tap(label) for label in self.ports if self.tap(label) in links]
        for label, volume in self.volumes.items():
            if (status := self.cloud.block_storage.get_volume(volume).status) != "available":
                left.append(f"{label}, which is {status}")
        return left

    def flavor(self, name: str) -> str:
        """The id of a flavor."""
        return str(self.cloud.compute.find_flavor(name, ignore_missing=False).id)

    def tap(self, label: str) -> str:
        """The node's network interface for the port of this label."""
        return f"tap{self.ports[label].id[:11]}"

    def remove(self) -> None:
        """Delete the server, its volumes and its ports, as far as there are any."""
        if self.id and self.cloud.compute.find_server(self.id) is not None:
            self.delete()
        for label, volume in self.volumes.items():
            if self.cloud.block_storage.find_volume(volume) is not None:
                with contextlib.suppress(LabError):
                    self._wait_for_volume(label, "available")
                # Cinder keeps a volume that it was moving when that was cut off.
                with contextlib.suppress(BadRequestException):
                    self.cloud.block_storage.delete_volume(volume, force=True)
        for port in self.ports.values():
            self.cloud.network.delete_port(port.id)

    def inventory(self) -> Inventory:
        """What the guest sees of its hardware now."""
        return self.lab.inventory(self.id)

    def booted(self) -> None:
        """Wait until the guest has booted anew."""
        self.guest.wait_for_boot()

    def _booted(self, status: str) -> None:
        self.wait(status)
        self.booted()

    def _manage(self, *arguments: str) -> None:
        world = self.lab.cloud
        program = self.lab.venvs.compute / "bin/nova-manage"
        world.run("nova-manage", program, "--config-file", world.folder / "etc/nova.conf", *arguments)

    def _wait_for_volume(self, label: str, status: str) -> None:
        state = functools.partial(self.cloud.block_storage.get_volume, self.volumes[label])

        def reached() -> bool:
            found = str(state().status)
            if found.startswith("error"):
                raise LabError(f"{label} is {found}; see {self.lab.cloud.log('cinder')}")
            return found == status

        self._until(reached, f"{label} does not become {status}")

    def _until(self, condition: Callable[[], object], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise LabError(f"{otherwise}; see {self.lab.compute_log}")
            time.sleep(0.3)
