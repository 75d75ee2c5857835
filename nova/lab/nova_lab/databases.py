"""MariaDB in the cloud's world, with every service's schema; and RabbitMQ.

Making the schemas takes a minute. The data folder is kept beside the virtual environments, by the fingerprint of
all that went into it, and copied for the next lab.
"""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from nova_lab import config
from nova_lab.config import CONTROLLER, DATABASES, PASSWORD
from nova_lab.install import Venvs, cache, fingerprint, requirements
from nova_lab.world import World, wait_for

_KEPT = ("mariadb", "keystone")
"""Folders of the world that belong together: the databases, and the keys that Keystone made with its own."""


def start(cloud: World, venvs: Venvs) -> None:
    """Start MariaDB on a copy of the kept databases; make them first if none matches."""
    versions = subprocess.run(["dpkg-query", "-W", "mariadb-server-core"], capture_output=True, check=True).stdout
    written = repr((DATABASES, config.url("keystone"), config.MESSAGES, config.database("nova_cell0"))).encode()
    ours = (requirements("compute", venvs.release), requirements("controllers"), Path(__file__).read_bytes(), written)
    name = fingerprint(versions, *ours)
    kept = cache() / f"databases-{venvs.release}-{name}"
    if kept.exists():
        for part in _KEPT:
            shutil.copytree(kept / part, cloud.folder / part)
        _start_mariadb(cloud)
        return
    _create(cloud)
    _start_mariadb(cloud)
    _fill(cloud, venvs)
    cloud.stop("mariadb")
    scratch = kept.with_name(f".{kept.name}.{os.getpid()}")
    for part in _KEPT:
        shutil.copytree(cloud.folder / part, scratch / part)
    for older in cache().glob(f"databases-{venvs.release}-*"):
        shutil.rmtree(older)
    scratch.rename(kept)
    _start_mariadb(cloud)


def start_rabbitmq(cloud: World) -> None:
    """Start RabbitMQ, and Erlang's name server, which it would otherwise start and leave behind."""
    folder = cloud.folder / "rabbitmq"
    folder.mkdir()
    (folder / "rabbitmq.conf").write_text("loopback_users = none\n")
    (folder / "plugins").write_text("[].\n")
    cloud.start("epmd", "epmd", HOME=str(folder))
    cloud.start(
        "rabbitmq",
        "/usr/lib/rabbitmq/bin/rabbitmq-server",
        HOME=str(folder),
        RABBITMQ_NODENAME="lab@localhost",
        RABBITMQ_CONF_ENV_FILE="/dev/null",
        RABBITMQ_CONFIG_FILE=str(folder / "rabbitmq.conf"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
        RABBITMQ_MNESIA_BASE=str(folder / "mnesia"),
        RABBITMQ_LOG_BASE=str(folder),
        RABBITMQ_LOGS="-",
        RABBITMQ_PID_FILE=str(folder / "pid"),
    )
    log = cloud.log("rabbitmq")
    wait_for(lambda: "Server startup complete" in log.read_text(errors="replace"), f"RabbitMQ did not start: see {log}")


def _create(cloud: World) -> None:
    """An empty data folder, and in it the databases and the user that all services share."""
    data = cloud.folder / "mariadb"
    options = ["--no-defaults", f"--datadir={data}", "--user=root", "--auth-root-authentication-method=normal"]
    cloud.run("mariadb-install", "mariadb-install-db", *options, "--skip-test-db", "--innodb-log-file-size=32M")
    statements = [f"CREATE DATABASE {name} CHARACTER SET utf8mb3;\n" for name in DATABASES]
    grant = "FLUSH PRIVILEGES;\nCREATE USER os IDENTIFIED BY 'os';\nGRANT ALL ON *.* TO os;\n"
    script = cloud.folder / "databases.sql"
    script.write_text(grant + "".join(statements))
    cloud.run(
        "mariadb-bootstrap", "sh", "-c", 'exec "$@" <"$0"', script, *_mariadbd(data), "--bootstrap", "--skip-networking"
    )


def _mariadbd(data: Path) -> list[str]:
    return [
        "mariadbd",
        "--no-defaults",
        "--user=root",
        f"--datadir={data}",
        f"--socket={data.parent}/mariadb.sock",
        f"--pid-file={data.parent}/mariadb.pid",
        f"--bind-address={CONTROLLER}",
        "--skip-name-resolve",
        "--max-connections=500",
        "--innodb-log-file-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
    ]


def _start_mariadb(cloud: World) -> None:
    cloud.start("mariadb", *_mariadbd(cloud.folder / "mariadb"))
    sock = cloud.folder / "mariadb.sock"
    log = cloud.log("mariadb")
    wait_for(lambda: sock.exists() and cloud.runs("mariadb"), f"MariaDB did not start: see {log}")


def _fill(cloud: World, venvs: Venvs) -> None:
    """Every service's schema, Nova's cells, and Keystone's first user and keys; three at a time."""
    etc = cloud.folder / "etc"

    def tool(program: str, configuration: str, *arguments: str) -> None:
        venv = venvs.compute if program == "nova-manage" else venvs.controllers
        command = [str(venv / "bin" / program), "--config-file", str(etc / configuration), *arguments]
        cloud.run(f"{program}-{arguments[0]}", *command, OS_PLACEMENT_CONFIG_DIR=str(etc))

    def keystone() -> None:
        owner = ("--keystone-user", "root", "--keystone-group", "root")
        tool("keystone-manage", "keystone.conf", "db_sync")
        for keys in ("fernet", "credential"):
            (cloud.folder / "keystone" / keys).mkdir(parents=True, mode=0o700)
            tool("keystone-manage", "keystone.conf", f"{keys}_setup", *owner)
        urls = [f"--bootstrap-{kind}-url={config.url('keystone')}/v3" for kind in ("public", "internal", "admin")]
        first = [f"--bootstrap-password={PASSWORD}", f"--bootstrap-region-id={config.REGION}", *urls]
        tool("keystone-manage", "keystone.conf", "bootstrap", *first)

    def nova() -> None:
        tool("nova-manage", "nova.conf", "api_db", "sync")
        cell0 = str(config.database("nova_cell0")["connection"])
        tool("nova-manage", "nova.conf", "cell_v2", "map_cell0", "--database_connection", cell0)
        tool("nova-manage", "nova.conf", "db", "sync")
        tool("nova-manage", "nova.conf", "cell_v2", "create_cell", "--name", "cell1")

    def small() -> None:
        tool("placement-manage", "placement.conf", "db", "sync")
        tool("glance-manage", "glance-api.conf", "db_sync")
        tool("cinder-manage", "cinder.conf", "db", "sync")

    steps: list[Callable[[], None]] = [
        nova,
        keystone,
        small,
        lambda: tool("neutron-db-manage", "neutron.conf", "upgrade", "heads"),
    ]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for step in [pool.submit(step) for step in steps]:
            step.result()
