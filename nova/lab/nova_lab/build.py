"""From nothing to a cloud with compute nodes: the worlds, the cable between them, and the services in their order."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from holdfast_lab.daemon import LIBVIRTD_CONF
from holdfast_lab.probe_image import probe_image
from nova_lab import ceph, cloud, config, databases
from nova_lab.config import CEPH_USER, CONTROLLER, MACHINE, PREFIX, Node, Setup
from nova_lab.install import Venvs
from nova_lab.world import CHECKOUT, USER, USER_ID, LabError, World, wait_for

CABLE = "holdfast-nova"
"""The machine's interface on the lab's network: one end of a pair whose other end goes with the cloud's world."""

_APPLICATIONS = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "neutron": "neutron.wsgi.api",
}
"""Service of the controllers' environment → its WSGI module."""

_SOCKET = 'unix_sock_group = "libvirt"\nunix_sock_rw_perms = "0770"\n'
"""As Debian's packages have it."""

_QEMU_CONF = """\
security_driver = "none"
namespaces = [ ]
cgroup_controllers = [ ]
stdio_handler = "file"
"""
"""QEMU is the package's user, libvirt-qemu; a world has no cgroups and no virtlogd."""

_THREADING = "OS_NOVA_DISABLE_EVENTLET_PATCHING"
"""What tells a service of Nova which threads to have: "1" native ones, "0" eventlet's. Without it each has its own."""

_HERE = CHECKOUT / "nova" / "lab" / "nova_lab"


def create_cloud(world: World, venvs: Venvs) -> None:
    """The controllers, as far as the first user's images."""
    if subprocess.run(["ip", "link", "show", CABLE], capture_output=True).returncode == 0:
        raise LabError(f"another lab runs on this machine: there is an interface {CABLE}")
    world.create()
    _connect_cloud(world)
    _configure(world, venvs)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        steps = [
            pool.submit(ceph.start, world),
            pool.submit(databases.start_rabbitmq, world),
            pool.submit(databases.start, world, venvs),
        ]
        probe = pool.submit(probe_image)
        for step in steps:
            step.result()
        start_controllers(world, venvs)
        _wait_for_apis(world, ["keystone"])
        cloud.register(cloud.connect())
        _wait_for_apis(world, config.PORTS)
        cloud.furnish(cloud.connect(), probe.result().disk)  # a connection keeps the catalog that it began with


def remove_cable() -> None:
    """Remove the machine's interface: the kernel would do it a while after the last process of the cloud's world."""
    subprocess.run(["ip", "link", "delete", CABLE], capture_output=True)


def start_controllers(world: World, venvs: Venvs) -> None:
    """Start every service of the controllers that does not run."""
    etc = str(world.folder / "etc")
    python = {"nova": venvs.compute / "bin/python", "others": venvs.controllers / "bin/python"}
    environment = {f"OS_{name.upper()}_CONFIG_DIR": etc for name in (*_APPLICATIONS, "nova")}
    environment |= {"OS_NEUTRON_CONFIG_FILES": "neutron.conf", "PYTHONWARNINGS": "ignore", _THREADING: "1"}
    for name, module in _APPLICATIONS.items():
        serve = (_HERE / "serve.py", module, CONTROLLER, str(config.PORTS[name]))
        world.start(name, python["others"], *serve, **environment)
    for name in ("nova-conductor", "nova-scheduler"):
        world.start(name, venvs.compute / "bin" / name, "--config-file", f"{etc}/nova.conf", **environment)
    serve = (_HERE / "serve.py", "nova.wsgi.osapi_compute", CONTROLLER, str(config.PORTS["nova"]))
    world.start("nova-api", python["nova"], *serve, **environment)
    world.start("cinder", python["others"], _HERE / "block_storage.py", f"{etc}/cinder.conf", **environment)


def create_node(node: Node, world: World, cloud_world: World, venvs: Venvs, setup: Setup) -> None:
    """One compute node: its world, its cable to the cloud's bridge, its libvirt with Ceph's secret, nova-compute."""
    shutil.copytree(cloud_world.folder / "ceph", world.folder / "ceph")
    (world.folder / "libvirt").mkdir()
    (world.folder / "libvirt" / "qemu.conf").write_text(_QEMU_CONF)
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, node.name)
    (world.folder / "libvirt" / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=identity) + _SOCKET)
    world.create()
    keyring = f"/etc/ceph/ceph.client.{CEPH_USER}.keyring"
    world.run("access", "sh", "-c", f"chgrp {USER} {keyring} && chmod 640 {keyring}")
    world.run("access", "install", "-d", "-g", "libvirt", "-m", "2770", "/run/holdfast")  # as our package does
    ip = ("ip", "link", "add", "eth0", "netns", str(world.pid), "type", "veth", "peer", "name", node.name)
    _run(*ip, "netns", str(cloud_world.pid))
    cloud_world.run("network", "ip", "link", "set", node.name, "master", "lan", "up")
    world.run("network", "ip", "address", "add", f"{node.address}/{PREFIX}", "dev", "eth0")
    world.run("network", "ip", "link", "set", "eth0", "up")
    start_switch(world)
    start_libvirt(world)
    secret = world.folder / "secret.xml"
    secret.write_text(
        f"<secret><uuid>{config.CEPH_SECRET}</uuid><usage type='ceph'><name>{config.CEPH_USER}</name></usage></secret>"
    )
    world.run("secret", "virsh", "secret-define", secret)
    world.run("secret", "virsh", "secret-set-value", config.CEPH_SECRET, ceph.user_key(cloud_world))
    configure_compute(node, world, venvs, setup)
    start_compute(world, venvs, setup)


def configure_compute(node: Node, world: World, venvs: Venvs, setup: Setup) -> None:
    """Write the node's nova.conf for this setup, and what lets the user nova do as root what Nova needs."""
    state, etc, programs = world.folder / USER, world.folder / "system/nova", venvs.compute
    for folder in (state, state / "instances", state / "lock"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, USER_ID, USER_ID)
    (etc / "rootwrap.d").mkdir(parents=True, exist_ok=True)
    config.write(etc / "nova.conf", config.compute(node, state, programs, setup))
    config.write(etc / "rootwrap.conf", config.rootwrap(programs))
    shutil.copy(programs / "etc/nova/rootwrap.d/compute.filters", etc / "rootwrap.d")
    config.write(etc / "rootwrap.d/os-vif.filters", config.filters())
    sudoers = world.folder / "system/sudoers"
    sudoers.unlink(missing_ok=True)
    sudoers.write_text(config.sudoers(programs))
    sudoers.chmod(0o440)


def start_compute(world: World, venvs: Venvs, setup: Setup, last_call: Path | None = None) -> None:
    """Start nova-compute, which finds its privsep-helper on PATH; with ``last_call`` the one of ``mortal_compute``."""
    programs = venvs.compute / "bin"
    path = f"{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    mortal = (programs / "python", _HERE / "mortal_compute.py", last_call)
    program = (programs / "nova-compute",) if last_call is None else mortal
    arguments = ("--config-file", "/etc/nova/nova.conf")
    user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", f"--groups={USER},libvirt,kvm")
    command = map(str, (*(() if setup.user == "root" else user), *program, *arguments))
    environment = {"PATH": path, "PYTHONWARNINGS": "ignore", "HOME": str(world.folder / USER)}
    if setup.concurrency != "default":
        environment[_THREADING] = "1" if setup.concurrency == "threading" else "0"
    world.start("nova-compute", *command, **environment)


def start_switch(world: World) -> None:
    """Start the node's Open vSwitch, which switches in its own process: no module of the kernel is needed."""
    folder, remote = world.folder / "openvswitch", "punix:/run/openvswitch/db.sock"
    (world.folder / "run/openvswitch").mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    if not (folder / "conf.db").exists():
        schema = "/usr/share/openvswitch/vswitch.ovsschema"
        world.run("ovsdb-tool", "ovsdb-tool", "create", folder / "conf.db", schema)
    world.start(
        "ovsdb-server", "ovsdb-server", folder / "conf.db", f"--remote={remote}", "--remote=ptcp:6640:127.0.0.1"
    )
    world.run("ovs-vsctl", "ovs-vsctl", "--no-wait", "--retry", "--timeout=30", "init")
    world.start("ovs-vswitchd", "ovs-vswitchd")


def start_libvirt(world: World) -> None:
    """Start the node's libvirtd and wait until it answers."""
    world.start("libvirtd", "libvirtd")
    wait_for(lambda: _libvirt_answers(world), f"libvirtd did not start: see {world.log('libvirtd')}")


def _libvirt_answers(world: World) -> bool:
    with contextlib.suppress(LabError):
        world.run("virsh", "virsh", "-c", "qemu:///system", "uri")
        return True
    return False


def _connect_cloud(world: World) -> None:
    """The bridge that the compute nodes' cables end on, and the machine's own cable to it."""
    _run("ip", "link", "add", CABLE, "type", "veth", "peer", "name", "machine", "netns", str(world.pid))
    _run("ip", "address", "add", f"{MACHINE}/{PREFIX}", "dev", CABLE)
    _run("ip", "link", "set", CABLE, "up")
    for step in (
        "link add lan type bridge",
        "link set machine master lan up",
        f"address add {CONTROLLER}/{PREFIX} dev lan",
        "link set lan up",
    ):
        world.run("network", "ip", *step.split())


def _configure(world: World, venvs: Venvs) -> None:
    etc = world.folder / "etc"
    controllers = venvs.controllers

    def state(name: str) -> Path:
        folder = world.folder / name
        (folder / "lock").mkdir(parents=True, exist_ok=True)
        return folder

    config.write(etc / "keystone.conf", config.keystone(world.folder / "keystone"))
    config.write(etc / "placement.conf", config.placement(state("placement")))
    config.write(etc / "glance-api.conf", config.glance(state("glance"), controllers))
    config.write(etc / "neutron.conf", config.neutron(state("neutron"), controllers))
    config.write(etc / "cinder.conf", config.cinder(state("cinder"), controllers, etc / "cinder.conf"))
    config.write(etc / "nova.conf", config.nova(state("nova"), venvs.compute))
    shutil.copy(venvs.compute / "etc/nova/api-paste.ini", etc)  # nova-api looks beside its configuration


def _wait_for_apis(world: World, services: Iterable[str]) -> None:
    for name in services:
        process = {"nova": "nova-api"}.get(name, name)
        serves = partial(_serves, config.url(name))
        wait_for(serves, f"{name} did not start: see {world.log(process)}")


def _serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
