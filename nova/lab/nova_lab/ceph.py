"""A Ceph cluster in the cloud's world: one monitor, one OSD on a sparse file, one manager; the pools of volumes and
disks.

Each runs in the foreground (``-f``), as root, on files below the world's folder. Only Cinder's capacity report needs
the manager.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from nova_lab import config
from nova_lab.config import CEPH_DISKS, CEPH_POOL, CEPH_USER, CONTROLLER
from nova_lab.world import LabError, World, wait_for

_SIZE = 4 << 30


def _settings(folder: Path, identity: str) -> config.Sections:
    return {
        "global": {
            "fsid": identity,
            "mon_initial_members": "a",
            "mon_host": f"[v2:{CONTROLLER}:3300,v1:{CONTROLLER}:6789]",
            "public_network": f"{CONTROLLER}/{config.PREFIX}",
            "auth_cluster_required": "cephx",
            "auth_service_required": "cephx",
            "auth_client_required": "cephx",
            "auth_allow_insecure_global_id_reclaim": "false",
            "osd_pool_default_size": 1,
            "osd_pool_default_min_size": 1,
            "osd_pool_default_pg_num": 8,
            "osd_pool_default_pg_autoscale_mode": "off",
            "osd_crush_chooseleaf_type": 0,
            "mon_allow_pool_size_one": "true",
            "mon_warn_on_pool_no_redundancy": "false",
            "ms_bind_ipv6": "false",
            "log_file": "",
            "log_to_stderr": "true",
            "run_dir": "/run",
            "admin_socket": "/run/$name.asok",
            "mon_data": folder / "mon",
            "mgr_data": folder / "mgr",
        },
        "osd": {
            "osd_data": folder / "osd",
            "osd_objectstore": "bluestore",
            "bluestore_block_size": _SIZE,
            "bluestore_block_db_size": 0,
            "bluestore_block_wal_size": 0,
            "bluestore_cache_size": 64 << 20,
            "bluestore_cache_autotune": "false",
            "osd_memory_target": 939524096,
            "osd_class_update_on_start": "false",
        },
    }


def start(cloud: World) -> None:
    """Make the cluster and wait until its pool takes data. Clients find it by what is in the world's /etc/ceph."""
    folder, etc = cloud.folder / "ceph-data", cloud.folder / "ceph"
    for name in ("mon", "osd", "mgr"):
        (folder / name).mkdir(parents=True)
    identity = str(uuid.uuid4())
    config.write(etc / "ceph.conf", _settings(folder, identity))
    keyring, admin = folder / "keyring", etc / "ceph.client.admin.keyring"
    everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
    tool = "ceph-authtool"
    cloud.run(tool, tool, "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    cloud.run(tool, tool, "--create-keyring", admin, "--gen-key", "-n", "client.admin", *everything)
    cloud.run(tool, tool, keyring, "--import-keyring", admin)
    addresses = f"[v2:{CONTROLLER}:3300,v1:{CONTROLLER}:6789]"
    cloud.run("monmaptool", "monmaptool", "--create", "--addv", "a", addresses, "--fsid", identity, folder / "monmap")
    monitor = ("ceph-mon", "-i", "a")
    cloud.run("ceph-mkfs", *monitor, "--mkfs", "--monmap", folder / "monmap", "--keyring", keyring)
    cloud.start("ceph-mon", *monitor, "-f")
    wait_for(lambda: _answers(cloud, "mon", "stat"), f"Ceph's monitor does not answer: see {cloud.log('ceph-mon')}")

    disk = str(uuid.uuid4())
    secret = cloud.run(tool, tool, "--gen-print-key").split()[-1]
    (folder / "new.json").write_text(json.dumps({"cephx_secret": secret}))
    cloud.run("ceph", "ceph", "osd", "new", disk, "-i", folder / "new.json")
    cloud.run(tool, tool, "--create-keyring", folder / "osd/keyring", "-n", "osd.0", "--add-key", secret)
    cloud.run("ceph-mkfs", "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
    start_disk(cloud)
    manager = ("mon", "allow profile mgr", "osd", "allow *", "mds", "allow *")
    cloud.run("ceph", "ceph", "auth", "get-or-create", "mgr.x", *manager, "-o", folder / "mgr/keyring")
    cloud.start("ceph-mgr", "ceph-mgr", "-i", "x", "-f")
    for pool in (CEPH_POOL, CEPH_DISKS):
        cloud.run("ceph", "ceph", "osd", "pool", "create", pool, "8", "8", "replicated")
        cloud.run("ceph", "ceph", "osd", "pool", "application", "enable", pool, "rbd")
    pools = f"profile rbd pool={CEPH_POOL}, profile rbd pool={CEPH_DISKS}"
    user = (f"client.{CEPH_USER}", "mon", "profile rbd", "osd", pools)
    cloud.run("ceph", "ceph", "auth", "get-or-create", *user, "-o", etc / f"ceph.client.{CEPH_USER}.keyring")
    wait_for(
        lambda: _answers(cloud, "pg", "stat", pattern=r"\b(\d+) pgs: \1 active\+clean;"),
        f"Ceph's pools stay unclean: {cloud.log('ceph')}",
    )


def start_disk(cloud: World) -> None:
    """Start the daemon of the cluster's one disk."""
    cloud.start("ceph-osd", "ceph-osd", "-i", "0", "-f")


def user_key(cloud: World) -> str:
    """The key of Cinder's user, for the libvirt of a compute node."""
    for line in (cloud.folder / "ceph" / f"ceph.client.{CEPH_USER}.keyring").read_text().splitlines():
        name, _, value = line.strip().partition(" = ")
        if name == "key":
            return value
    raise LabError("Ceph has no key for Cinder")


def _answers(cloud: World, *command: str, pattern: str = "") -> bool:
    try:
        return re.search(pattern, cloud.run("ceph", "timeout", "5", "ceph", *command)) is not None
    except LabError:
        return False
