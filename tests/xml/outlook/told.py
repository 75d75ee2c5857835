"""Hosts that no test machine is, as their libvirt would tell of them; and what is told of a cold start there.

That a real host tells it, and does as was foretold, is in tests/libvirt/look/test_plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.outlook import HostOutlook, KnownGuest

Q35 = (Path(__file__).parents[2] / "data" / "domain-capabilities-q35.xml").read_text()
QEMU = "/usr/bin/qemu-system-x86_64"
HOST = f"""<capabilities><host/><guest><os_type>hvm</os_type><arch name='x86_64'><emulator>{QEMU}</emulator>
  <machine maxCpus='288'>pc-q35-7.2</machine><machine>pc-q35-6.0</machine>
  <machine deprecated='yes'>pc-q35-2.12</machine><machine canonical='pc-q35-7.2'>q35</machine><domain type='qemu'/>
</arch></guest></capabilities>"""
UNKNOWN = KnownGuest()
BIOS = Outlook(
    Effect.UNKNOWN,
    "firmware",
    "the BIOS comes with QEMU: whether it is the same build as before is recorded nowhere",
)
PASSTHROUGH = "<mode name='host-passthrough' supported='{}'/>"
ANYWHERE = PASSTHROUGH.format("no"), PASSTHROUGH.format("yes")


@dataclass
class Libvirt:
    """What a libvirt tells of its host, in the place of a connection to it.

    ``told``      its domain capabilities; None where it refuses to tell
    ``lacked``    CPU features of every model that the host does not have, and ``has`` those that it has besides
    ``beyond``    those of ``lacked`` that no model has
    ``unknown``   models and features that it does not know
    ``possible``  features that a domain can have that asks for them by name
    """

    told: str | None = Q35
    host: str = HOST
    lacked: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    why: str = "internal error: Unknown CPU model"
    possible: tuple[str, ...] | None = ()
    version: tuple[int, int, int] = (9, 0, 0)
    is_local: bool = False
    is_usual: bool = True
    readonly: bool = False
    is_qemu: bool = True
    uri: str = "qemu:///system"
    asked: list[object] = field(default_factory=list)

    def capabilities(self) -> str:
        self.asked.append("host")
        return self.host

    def domain_capabilities(self, *platform: str, all_cpu_features: bool = False) -> str:
        self.asked.append((*platform, all_cpu_features))
        if self.told is None:
            raise REFUSED(reason="invalid argument: not today")
        if not all_cpu_features:
            return self.told
        if self.possible is None:
            return "<domainCapabilities/>"
        features = "".join(f"<feature policy='require' name='{name}'/>" for name in self.possible)
        model = f"<mode name='host-model' supported='yes'><model>EPYC</model>{features}</mode>"
        return f"<domainCapabilities><cpu>{model}</cpu></domainCapabilities>"

    def cpu_shortfall(self, cpu: str, *platform: str) -> str:
        self.asked.append((cpu, *platform))
        node = parse(cpu)
        policies = {each.attrib["name"]: each.attrib["policy"] for each in node.iterfind("feature")}
        assert {*policies.values()} <= {"force", "require", "optional", "disable", "forbid"}
        if {node.findtext("model"), *policies}.intersection(self.unknown):
            raise REFUSED(reason=self.why)
        wanted = [name for name in self.lacked if policies.get(name, "" if name in self.beyond else "require")]
        lacked = [name for name in wanted if policies.get(name, "require") not in ("disable", "forbid", "optional")]
        forbidden = [name for name, policy in policies.items() if policy == "forbid" and name in self.has]
        return ", ".join([*lacked, *forbidden, *(self.has if node.get("match") == "strict" else ())])

    def libvirt_version(self) -> tuple[int, int, int]:
        return self.version

    def hypervisor_version(self) -> tuple[int, int, int]:
        return 7, 2, 0


def host(libvirt: Libvirt | None = None) -> HostOutlook:
    return HostOutlook(cast(Connection, libvirt or Libvirt()))


def domain(
    cpu: str = "", *, machine: str = "pc-q35-7.2", os: str = "", devices: str = "", arch: str = "x86_64"
) -> Element:
    return parse(
        f"<domain type='qemu'><name>a</name><os><type arch='{arch}' machine='{machine}'>hvm</type>{os}</os>{cpu}"
        f"<devices>{devices}</devices></domain>"
    )


def found(
    libvirt: Libvirt, document: Element, known: KnownGuest = UNKNOWN, origin: Libvirt | None = None
) -> list[tuple[str, str]]:
    """Effect and sentence of each outlook for the hardware; that of a BIOS, which must be the last, is left out."""
    found = [*host(libvirt).hardware(document, known, None if origin is None else host(origin))]
    if found and found[-1] == BIOS:
        found.pop()
    return [(str(each.effect), each.sentence) for each in found]


def of_cpu(
    libvirt: Libvirt, cpu: str, before: str | None = None, origin: Libvirt | None = None
) -> list[tuple[str, str]]:
    """What is told of a domain with this CPU, whose guest had ``before``."""
    known = KnownGuest(cpu=None if before is None else parse(before))
    every = [*host(libvirt).hardware(domain(cpu), known, None if origin is None else host(origin))]
    assert every.pop() == BIOS
    assert {each.part for each in every} <= {"cpu"}
    return [(str(each.effect), each.sentence) for each in every]


def custom(model: str = "EPYC", check: str = "partial", inner: str = "", match: str = "exact") -> str:
    return f"<cpu mode='custom' match='{match}' check='{check}'><model>{model}</model>{inner}</cpu>"


def feature(name: str, policy: str = "require") -> str:
    return f"<feature policy='{policy}' name='{name}'/>"


def loader(path: object, nvram: str = "<nvram template='/t'/>") -> str:
    return f"<loader readonly='yes' type='pflash'> {path} </loader>{nvram}"
