"""``python -m tests.faults.soak [--seconds N]``: eight clients and virsh at work on the same three domains.

Whatever comes in whatever order: no domain is lost, no address is given twice in a document, live and config agree on
the place of a device that both have, and no command ends with a defect.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import libvirt
from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import label
from holdfast.domainxml.document import devices, parse
from tests.faults import matrix
from tests.faults.scenarios import Scenario
from tests.faults.worker import Host, _import_all

CLIENTS = 8
DOMAINS = "abc"
COMMANDS = (
    "start {d} --paused",
    "destroy {d}",
    "reboot {d} --hard",
    "suspend {d}",
    "resume {d}",
    "save {d}",
    "restore {d} --paused",
    "discard-save {d}",
    "disk attach {d} path={images}/{d}-{n}.qcow2,size=1MiB",
    "disk detach {d} vdb --timeout 0",
    "disk detach {d} vdc --timeout 0",
    "interface attach {d} user",
    "set {d} --title t{n}",
    "set {d} --memory 48MiB",
    "seal {d} --add-serials",
    "unseal {d} --cpu",
    "snapshot create {d} s{n}",
    "snapshot delete {d} s{n}",
    "snapshot revert {d} s{n} --accept",
    "adopt {d}",
    "repair {d}",
    "show {d}",
    "audit",
    "list",
    "plan reboot {d}",
)
OTHERS = (
    "virsh start {d} --paused",
    "virsh destroy {d}",
    "virsh desc {d} --config --title v{n}",
    "virsh setmem {d} 49152 --config",
    "virsh detach-disk {d} vdb --config",
)


def _defect(code: int, text: str) -> bool:
    return code < 0 or "Traceback" in text or "should not have happened" in text


def client(host: Host, seed: int, until: float) -> int:
    """Run commands until the time has come; returns how many ended with a defect, and prints these."""
    chosen, codes, defects = random.Random(seed), Counter[int](), 0
    while time.monotonic() < until:
        line = chosen.choice(COMMANDS if seed % 4 else OTHERS)
        line = line.format(d=chosen.choice(DOMAINS), n=chosen.randrange(4), images=host.images)
        words = line.split()
        if words[0] == "virsh":
            done = subprocess.run(words, capture_output=True, text=True)
            codes[done.returncode] += 1
            continue
        ended = host.run(words)
        codes[ended.code] += 1
        if _defect(ended.code, ended.err):
            defects += 1
            print(f"{line}: exit {ended.code}: {ended.err.strip()}", flush=True)
    print(f"client {seed}: {codes.total()} commands, exit codes {dict(sorted(codes.items()))}", flush=True)
    return defects


def wrong(connection: libvirt.virConnect) -> Iterator[str]:
    """What of the domains is not as it must be."""
    for name in DOMAINS:
        try:
            domain = connection.lookupByName(name)
        except libvirt.libvirtError:
            yield f"{name} is lost"
            continue
        placed = []
        for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE) if domain.isActive() else (libvirt.VIR_DOMAIN_XML_INACTIVE,):
            found = [(label(each), describe_address(each)) for each in devices(parse(domain.XMLDesc(flags)))]
            twice = [place for place, count in Counter(place for _, place in found if place).items() if count > 1]
            yield from (f"{name}: {place} is given twice" for place in twice)
            placed.append(dict(found))
        both = placed[0].keys() & placed[-1].keys()
        yield from (f"{name}: {each} moves" for each in both if placed[0][each] != placed[-1][each])


def main() -> int:
    """Inside a host: let all work, and look in the end. Outside: make the host."""
    parser = argparse.ArgumentParser(prog="scripts/faults soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is None:
        with matrix.entered("tests.faults.soak", "--seconds", str(given.seconds), "--inside") as process:
            return process.wait()
    return soak(Host(Path(given.inside[0]), int(given.inside[1])), given.seconds)


def soak(host: Host, seconds: int) -> int:
    """1 when something is wrong in the end."""
    _import_all()
    libvirt.registerErrorHandler(lambda *_: None, None)
    host.begin_anew(Scenario(""))
    with host.libvirt() as connection:
        first = connection.lookupByName("a").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        for name in DOMAINS[1:]:
            image = f"{host.images}/{name}.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
            another = re.sub(r"<uuid>.*</uuid>", "", first).replace("<name>a<", f"<name>{name}<")
            another = re.sub(r"<mac .*/>", "", another).replace(f"{host.images}/root.qcow2", image)
            connection.defineXML(another)
    until, children = time.monotonic() + seconds, []
    for seed in range(CLIENTS):
        child = os.fork()
        if child == 0:
            os._exit(min(client(host, seed, until), 100))
        children.append(child)
    defects = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    host.settle()
    with host.libvirt() as connection:
        found = list(wrong(connection))
    print("\n".join([f"{defects} defects", *found]), flush=True)
    return 1 if defects or found else 0


if __name__ == "__main__":
    sys.exit(main())
