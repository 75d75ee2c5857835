"""The lab as its commands and tests see it: a cloud world with the controllers, and a world for each compute node."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from nova_lab import build, cloud
from nova_lab.config import NODES, Setup
from nova_lab.install import LATEST, Venvs, cache, install
from nova_lab.world import LabError, World, wait_for

if TYPE_CHECKING:
    from openstack.compute.v2.server import Server
    from openstack.connection import Connection as Cloud


class Lab:
    """One lab by its folder, running or not. There is one on a machine at a time: its addresses are fixed."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or cache() / "state").resolve()
        self.cloud = World("cloud", self.folder / "cloud")
        self.nodes = {node.name: World(node.name, self.folder / node.name) for node in NODES}
        self._guests: dict[str, Guest] = {}

    @property
    def node(self) -> World:
        """The first compute node."""
        return self.nodes[NODES[0].name]

    @functools.cached_property
    def openstack(self) -> Cloud:
        """openstacksdk's connection, as the cloud's administrator."""
        return cloud.connect()

    @property
    def libvirt_uri(self) -> str:
        """The first node's libvirt, as the machine reaches it."""
        return f"qemu+unix:///system?socket={self.node.folder}/run/libvirt/libvirt-sock"

    @property
    def compute_log(self) -> Path:
        """What nova-compute of the first node says."""
        return self.node.log("nova-compute")

    def console_log(self, server_id: str) -> Path:
        """What the guest's serial console said since the guest was started."""
        return self.node.folder / "nova" / "instances" / server_id / "console.log"

    def up(self, setup: Setup | None = None, release: int | None = None) -> None:
        """Bring up what does not run, from nothing when the last lab was ended or died. Needs root.

        ``setup`` is for new nodes. Raises LabError where a lab runs with another ``release`` of Nova.
        """
        if os.geteuid() != 0:
            raise LabError("the lab needs root to make its own namespaces; run it with sudo")
        with self._lock():
            if self.cloud.pid is None:
                self._clean()
                self.folder.mkdir(parents=True)
                (self.folder / "release").write_text(f"{release or LATEST}\n")
            elif release not in (None, self.release):
                raise LabError(f"the lab runs with Nova {self.release}: 'scripts/nova-lab down' first")
            venvs = self.venvs
            try:
                if self.cloud.pid is None:
                    build.create_cloud(self.cloud, venvs)
                build.start_controllers(self.cloud, venvs)
                for node in NODES:
                    world = self.nodes[node.name]
                    if world.pid is None:
                        shutil.rmtree(world.folder, ignore_errors=True)
                        build.create_node(node, world, self.cloud, venvs, self._set_up(setup or Setup()))
                self._start_computes(venvs)
            except BaseException:
                self._end()  # the logs stay until the next up
                raise

    def down(self) -> None:
        """End every process, namespace and guest, and remove the lab's files; the environments stay. Needs root."""
        with self._lock():
            self.close()
            self._clean()

    def status(self) -> dict[str, dict[str, bool]]:
        """World → process → whether it runs. A world that does not run has none."""
        worlds = [self.cloud, *self.nodes.values()]
        return {world.name: world.processes() if world.pid else {} for world in worlds}

    @property
    def release(self) -> int:
        """The release of Nova."""
        return int((self.folder / "release").read_text())

    @property
    def venvs(self) -> Venvs:
        """The environments, with this checkout's wheels where they have changed."""
        return install(self.release)

    @property
    def setup(self) -> Setup:
        """How nova-compute was started last."""
        return Setup(**json.loads((self.folder / "setup.json").read_text()))

    @property
    def driver(self) -> str:
        """The driver that nova-compute was started with last: "stock" or "holdfast"."""
        return self.setup.driver

    def use_driver(self, name: str, **changes: str) -> None:
        """Install this checkout's wheels where they changed, and restart nova-compute with this driver on all nodes.

        ``changes`` are other fields of its setup.
        """
        setup = self._set_up(dataclasses.replace(self.setup, driver=name, **changes))
        for node in NODES:
            build.configure_compute(node, self.nodes[node.name], self.venvs, setup)
        self.restart_compute()

    def _set_up(self, setup: Setup) -> Setup:
        (self.folder / "setup.json").write_text(json.dumps(dataclasses.asdict(setup)))
        return setup

    def restart_compute(self, mortal: bool = False) -> None:
        """Restart nova-compute as an operator would, and wait until it takes requests.

        A ``mortal`` one can be told when to die: :meth:`dies_after`.
        """
        for world in self.nodes.values():
            world.stop("nova-compute")
        self._start_computes(self.venvs, mortal)

    def kill_compute(self) -> None:
        """Kill nova-compute in the middle of whatever it does; :meth:`restart_compute` brings it back."""
        for world in self.nodes.values():
            world.stop("nova-compute", signal.SIGKILL)

    @contextlib.contextmanager
    def dies_after(self, call: str) -> Iterator[None]:
        """A mortal nova-compute of the first node is killed after the next ``call`` to libvirt, which comes inside."""
        order = _last_call(self.node)
        order.write_text(call)
        try:
            yield
            wait_for(lambda: not self.node.runs("nova-compute"), f"nova-compute never calls {call}")
        finally:
            order.unlink(missing_ok=True)

    def restart_libvirt(self) -> None:
        """Restart the first node's libvirtd under nova-compute; its guests run on."""
        self.close()
        self.node.stop("libvirtd")
        build.start_libvirt(self.node)

    def wait(self, server_id: str, status: str = "ACTIVE") -> Server:
        """Wait until the server has this status and nothing is under way; returns the server. Raises LabError."""
        deadline = time.monotonic() + PATIENCE
        while True:
            server = self.openstack.compute.get_server(server_id)
            if server.status == status and server.task_state is None:
                return server
            if server.status == "ERROR" or time.monotonic() > deadline:
                fault = (server.fault or {}).get("message", "")
                raise LabError(f"server {server.name} is {server.status}, {server.task_state}, not {status}. {fault}")
            time.sleep(0.2)

    def domain(self, server_id: str) -> Domain:
        """The server's libvirt domain. Raises NotFound."""
        return self._connection.find_domain(server_id)

    def documents(self, server_id: str) -> tuple[str, str]:
        """The server's live and config document, as text; of a domain that does not run they are the same."""
        domain = self.domain(server_id)
        return domain.xml(Definition.LIVE), domain.xml(Definition.CONFIG)

    def guest(self, server_id: str) -> Guest:
        """The probe guest in this server; it obeys over its serial console, through all its boots."""
        if server_id not in self._guests:
            self._guests[server_id] = Guest(self.domain(server_id))
        return self._guests[server_id]

    def inventory(self, server_id: str) -> Inventory:
        """What the guest sees of its hardware now; waits for it to boot."""
        guest = self.guest(server_id)
        guest.wait_until_ready()
        return guest.inventory()

    def close(self) -> None:
        """Let go of libvirt and of the guests' consoles."""
        for guest in self._guests.values():
            guest.close()
        self._guests.clear()
        connection = self.__dict__.pop("_connection", None)
        if connection is not None:
            connection.close()

    @functools.cached_property
    def _connection(self) -> Connection:
        return open_connection(self.libvirt_uri)

    def _start_computes(self, venvs: Venvs, mortal: bool = False) -> None:
        """Start nova-compute where it does not run, and wait until each has said that it is ready."""
        for world in self.nodes.values():
            log = world.log("nova-compute")
            before = log.stat().st_size if log.exists() and not world.runs("nova-compute") else 0
            build.start_compute(world, venvs, self.setup, _last_call(world) if mortal else None)
            wait_for(functools.partial(self._ready, world, before), f"nova-compute did not start: see {log}")
        wait_for(lambda: cloud.hosts(self.openstack) >= set(self.nodes), "the cloud does not see its compute nodes")

    def _ready(self, world: World, before: int) -> bool:
        if not world.runs("nova-compute"):
            raise LabError(f"nova-compute ended: see {world.log('nova-compute')}")
        with world.log("nova-compute").open(errors="replace") as log:
            log.seek(before)
            return "Join ServiceGroup membership" in log.read()

    def _end(self) -> None:
        self.close()
        ran = self.cloud.pid is not None
        for world in (*self.nodes.values(), self.cloud):
            world.destroy()
        if ran:
            build.remove_cable()

    def _clean(self) -> None:
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One command at a time changes a lab."""
        with (cache() / "lab.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _last_call(world: World) -> Path:
    """Where a mortal nova-compute finds the name of its last call, and can remove it."""
    return world.folder / "nova" / "last-call"
