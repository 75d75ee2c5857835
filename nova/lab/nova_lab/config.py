"""The configuration files of the cloud, and the addresses and names that its parts know each other by."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

CONTROLLER = "198.51.100.1"
"""The controllers' address, on a bridge inside their world (a network that is for documentation: RFC 5737)."""

MACHINE = "198.51.100.254"
"""The machine's own address on that network."""

PREFIX = 24
PASSWORD = "secret"
REGION = "RegionOne"
PORTS = {"keystone": 5000, "glance": 9292, "neutron": 9696, "nova": 8774, "placement": 8778, "cinder": 8776}
DATABASES = ("keystone", "placement", "glance", "neutron", "cinder", "nova_api", "nova_cell0", "nova_cell1")
MESSAGES = f"rabbit://guest:guest@{CONTROLLER}:5672/"
NETWORKS = ("neta", "netb")

CEPH_POOL = "volumes"
CEPH_DISKS = "vms"
"""The pool of instances' own disks, on a node that keeps them in Ceph."""

BACKENDS = ("ceph", "ceph2")
"""Cinder's backends, between which volumes can be moved. Both keep them in the one pool."""

CEPH_USER = "cinder"
CEPH_SECRET = "11111111-2222-4333-8444-555555555555"
"""The UUID of the libvirt secret that holds the Ceph key of the user cinder."""

CANDIDATES = {"stock": "libvirt.LibvirtDriver", "holdfast": "holdfast.HoldfastLibvirtDriver"}
"""Name of a driver as the lab's commands take it → ``compute_driver``."""

USERS = ("nova", "root")
IMAGE_TYPES = ("qcow2", "rbd")
CONCURRENCIES = ("default", "threading", "eventlet")

Sections = dict[str, dict[str, object]]


@dataclass(frozen=True)
class Node:
    """One compute node: what differs between two."""

    name: str
    address: str


NODES = (Node("node1", "198.51.100.11"),)


@dataclass(frozen=True)
class Setup:
    """How nova-compute is run on the nodes.

    ``driver`` is a key of CANDIDATES; ``images`` is what keeps an instance's own disks (``images_type``); with
    ``concurrency`` "default" it has the threads that its release has without being told.
    """

    driver: str = "stock"
    user: str = "nova"
    images: str = "qcow2"
    concurrency: str = "default"


def url(service: str) -> str:
    """Where this service answers."""
    return f"http://{CONTROLLER}:{PORTS[service]}"


def database(name: str) -> dict[str, object]:
    """The section that names this database."""
    return {"connection": f"mysql+pymysql://os:os@{CONTROLLER}:3306/{name}", "max_pool_size": 10}


def _credentials(user: str) -> dict[str, object]:
    return {
        "auth_url": f"{url('keystone')}/v3",
        "auth_type": "password",
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": user,
        "password": PASSWORD,
        "region_name": REGION,
    }


def _common(user: str, state: Path) -> Sections:
    """What every service but Keystone has: whom it trusts, where it keeps its locks, and no notifications."""
    return {
        "keystone_authtoken": {
            **_credentials(user),
            "www_authenticate_uri": f"{url('keystone')}/v3",
            "service_token_roles": "service",
            "service_token_roles_required": True,
        },
        "service_user": {**_credentials(user), "send_service_user_token": True},
        "oslo_concurrency": {"lock_path": state / "lock"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def keystone(state: Path) -> Sections:
    """keystone.conf; the keys of its tokens are kept in ``state``."""
    return {
        "DEFAULT": {"use_stderr": True},
        "database": database("keystone"),
        "fernet_tokens": {"key_repository": state / "fernet"},
        "credential": {"key_repository": state / "credential"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def placement(state: Path) -> Sections:
    """placement.conf."""
    return {
        **_common("placement", state),
        "placement_database": database("placement"),
        "api": {"auth_strategy": "keystone"},
    }


def glance(state: Path, venv: Path) -> Sections:
    """glance-api.conf: images are files in ``state``."""
    return {
        **_common("glance", state),
        "DEFAULT": {"enabled_backends": "file:file", "worker_self_reference_url": url("glance")},
        "database": database("glance"),
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": state / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": state / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": state / "tasks"},
        "paste_deploy": {"flavor": "keystone", "config_file": venv / "etc/glance/glance-api-paste.ini"},
    }


def neutron(state: Path, venv: Path) -> Sections:
    """neutron.conf: flat networks whose ports the compute node plugs without agents."""
    return {
        **_common("neutron", state),
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "",
            "transport_url": MESSAGES,
            "state_path": state,
            "auth_strategy": "keystone",
            "api_paste_config": venv / "etc/neutron/api-paste.ini",
            "rpc_workers": 0,
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
        },
        "database": database("neutron"),
        "nova": _credentials("nova"),
        "placement": _credentials("placement"),
        "ml2": {
            "type_drivers": "flat",
            "tenant_network_types": "",
            "mechanism_drivers": "nova_lab",
            "extension_drivers": "",
        },
        "ml2_type_flat": {"flat_networks": "*"},
    }


def cinder(state: Path, venv: Path, conf: Path) -> Sections:
    """cinder.conf, which is to be ``conf``: volumes are RBD images, and Cinder runs as root."""
    return {
        **_common("cinder", state),
        "DEFAULT": {
            "transport_url": MESSAGES,
            "auth_strategy": "keystone",
            "host": "cloud",
            "my_ip": CONTROLLER,
            "api_paste_config": venv / "etc/cinder/api-paste.ini",
            "rootwrap_config": venv / "etc/cinder/rootwrap.conf",
            "resource_query_filters_file": venv / "etc/cinder/resource_filters.json",
            "state_path": state,
            "image_conversion_dir": state / "conversion",
            "enabled_backends": ",".join(BACKENDS),
            "osapi_volume_listen": CONTROLLER,
            "osapi_volume_listen_port": PORTS["cinder"],
            "osapi_volume_workers": 1,
            "quota_volumes": -1,
            "quota_gigabytes": -1,
            "glance_api_servers": url("glance"),
        },
        **_helpers(f"{venv}/bin/privsep-helper --config-file {conf}", "cinder_sys_admin", "privsep_osbrick"),
        "database": database("cinder"),
        "coordination": {"backend_url": f"file://{state}/coordination"},
        "nova": _credentials("nova"),
        **{
            name: {
                "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
                "volume_backend_name": name,
                "rbd_pool": CEPH_POOL,
                "rbd_user": CEPH_USER,
                "rbd_ceph_conf": "/etc/ceph/ceph.conf",
                "rbd_secret_uuid": CEPH_SECRET,
            }
            for name in BACKENDS
        },
    }


def nova(state: Path, venv: Path) -> Sections:
    """nova.conf as the API, the scheduler and the conductor read it."""
    return {
        **_common("nova", state),
        "DEFAULT": {
            "transport_url": MESSAGES,
            "state_path": state,
            "my_ip": CONTROLLER,
            "host": "cloud",
            "debug": True,
            "allow_resize_to_same_host": True,
        },
        "database": database("nova_cell1"),
        "api_database": database("nova_api"),
        "wsgi": {"api_paste_config": venv / "etc/nova/api-paste.ini"},
        "conductor": {"workers": 1},
        "quota": {"driver": "nova.quota.NoopQuotaDriver"},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 3},
        "placement": _credentials("placement"),
        "neutron": _credentials("neutron"),
        "glance": {"region_name": REGION},
        "cinder": {**_credentials("cinder"), "catalog_info": "volumev3::publicURL"},
    }


def compute(node: Node, state: Path, venv: Path, setup: Setup) -> Sections:
    """nova.conf of a compute node."""
    sections = nova(state, venv)
    del sections["database"], sections["api_database"]
    sections["DEFAULT"] |= {
        "compute_driver": CANDIDATES[setup.driver],
        "host": node.name,
        "my_ip": node.address,
        "instances_path": state / "instances",
        "instance_name_template": "nova-%08x",
        "force_config_drive": True,
        "mkisofs_cmd": "genisoimage",
        "vif_plugging_is_fatal": False,
        "vif_plugging_timeout": 0,
        "shutdown_timeout": 5,
        "manager_shutdown_timeout": 5,
        "graceful_shutdown_timeout": 10,
        "reserved_host_memory_mb": 512,
        "cpu_allocation_ratio": 16.0,
        "sync_power_state_interval": 30,
    }
    sections["libvirt"] = {
        "virt_type": "qemu",
        "cpu_mode": "none",
        "images_type": setup.images,
        "images_rbd_pool": CEPH_DISKS,
        "images_rbd_ceph_conf": "/etc/ceph/ceph.conf",
        "connection_uri": "qemu:///system",
        "hw_machine_type": "x86_64=pc",
        "num_pcie_ports": 16,
        "device_detach_attempts": 2,  # one guest is to answer none
        "inject_partition": -2,
        "rbd_user": CEPH_USER,
        "rbd_secret_uuid": CEPH_SECRET,
    }
    sections["vnc"] = {"enabled": True, "server_listen": "127.0.0.1"}
    sections["os_vif_ovs"] = {"ovs_vsctl_timeout": 5}
    if setup.user == "root":  # others are helped by Nova's own default: sudo nova-rootwrap
        sections |= _helpers(f"{venv}/bin/privsep-helper --config-file /etc/nova/nova.conf", *PRIVILEGED)
    return sections


PRIVILEGED = {
    "nova_sys_admin": "nova.privsep.sys_admin_pctxt",
    "privsep_osbrick": "os_brick.privileged.default",
    "vif_plug_ovs_privileged": "vif_plug_ovs.privsep.vif_plug",
}
"""Section of nova.conf → what nova-compute has done as root by a helper (oslo.privsep)."""


def _helpers(command: str, *sections: str) -> Sections:
    return {section: {"helper_command": command} for section in sections}


def sudoers(venv: Path) -> str:
    """What the user nova may do as root, as distributions' packages have it."""
    return (
        f'Defaults secure_path="{venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
        f"nova ALL=(root) NOPASSWD: {venv}/bin/nova-rootwrap /etc/nova/rootwrap.conf *\n"
    )


def rootwrap(venv: Path) -> Sections:
    """rootwrap.conf: the filters are those that Nova brings, and ours."""
    directories = f"{venv}/bin,/usr/sbin,/usr/bin,/sbin,/bin"
    return {"DEFAULT": {"filters_path": "/etc/nova/rootwrap.d", "exec_dirs": directories, "use_syslog": False}}


def filters() -> Sections:
    """The filter of rootwrap for the helper that Nova's own have none for: os-vif's."""
    helper = "privsep-helper, root, privsep-helper, --config-file, /etc/(?!\\.\\.).*"
    context = PRIVILEGED["vif_plug_ovs_privileged"]
    filter_ = f"RegExpFilter, {helper}, --privsep_context, {context}, --privsep_sock_path, /tmp/.*"
    return {"Filters": {"privsep-vif_plug_ovs": filter_}}


def write(path: Path, sections: Sections) -> None:
    """Write an oslo.config file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parser = configparser.RawConfigParser(default_section="")
    parser.read_dict({name: {key: str(value) for key, value in section.items()} for name, section in sections.items()})
    with path.open("w") as file:
        parser.write(file)
