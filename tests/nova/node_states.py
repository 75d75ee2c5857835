"""A compute node in several states, each checked by ``holdfast-nova-status``: prints the state, exit code and results.

Run by ``test_status.py`` in the judge's environment, within an enclosure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.fact import Creating
from holdfast.domainxml.metadata import set_facts
from holdfast.operations.connect import connect
from holdfast.operations.domain.adopt import now
from holdfast_lab.daemon import private_host

NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"
DOMAIN = """
<domain type='qemu'><name>{name}</name><memory>65536</memory><vcpu>1</vcpu>
  <metadata><nova:instance xmlns:nova='{nova}'><nova:name>web</nova:name></nova:instance></metadata>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>{cpu}<devices><memballoon model='virtio'/></devices></domain>
"""
CHECK = """
import sys
from pathlib import Path
from holdfast.hostfiles import lock
from holdfast_nova.status import check_node
lock.SHARED = Path({locks!r})
sys.exit(check_node())
"""


def document(name: str, cpu: str = "") -> str:
    return DOMAIN.format(name=name, nova=NOVA, cpu=cpu)


def check(state: str, folder: Path, uri: str, virt_type: str = "qemu") -> None:
    """Check the node as it is, and print what comes of it."""
    settings = folder / "nova.conf"
    settings.write_text(f"[libvirt]\nconnection_uri = {uri}\nvirt_type = {virt_type}\n")
    locks = folder / "locks"  # as the package sets it up for a group
    locks.mkdir(exist_ok=True)
    locks.chmod(0o2770)
    command = [
        sys.executable,
        "-c",
        CHECK.format(locks=str(locks)),
        "--config-file",
        str(settings),
        "upgrade",
        "check",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout:
        sys.exit(done.stderr)
    results = {each["check"]: [each["result"], each["details"]] for each in json.loads(done.stdout)["checks"]}
    print(json.dumps([state, done.returncode, results]))


def main() -> None:
    folder = Path(sys.argv[1])
    check("without libvirt", folder, f"qemu+unix:///system?socket={folder}/nothing")
    with private_host("node") as host, connect(host.uri) as connection:
        check("empty", folder, host.uri)
        check("for containers", folder, host.uri, virt_type="lxc")
        connection.define(document("instance-00000001"))
        check("with an instance", folder, host.uri)
        connection.define(document("instance-00000002", "<cpu mode='maximum'/>"))
        check("with one that stays open", folder, host.uri)
        connection.find_domain("instance-00000002").undefine()
        unfinished = parse(document("instance-00000003"), "domain")
        set_facts(unfinished, Creating(now()))
        connection.define(serialize(unfinished))
        check("with one that is unfinished", folder, host.uri)


if __name__ == "__main__":
    main()
