"""What is measured: each operation beside the libvirt calls that do no more than the deed itself."""

from __future__ import annotations

import functools
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lxml import etree

import holdfast
import libvirt
from bench.arrival import arrival_cases
from bench.disk_images import disk_image_cases
from bench.evacuation import evacuation_cases
from bench.follow import follow_cases
from bench.history import history_cases
from bench.measure import Case, Figure
from bench.migration import migration_cases
from bench.rescue import rescue_cases
from bench.settings import settings_cases
from bench.snapshots import snapshot_cases
from bench.storage import storage_cases
from bench.unlike_fleet import unlike_fleet
from bench.verify import verify_cases
from bench.watch import watch_cases
from holdfast import operations
from holdfast.domainxml.compare.guest_view import compare
from holdfast_lab.daemon import Host

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
Devices = Mapping[str, Iterator[str]]
PORTS = 16
"""Root ports of a measured domain: as many as ``holdfast create`` gives."""

_MEMORY_OF = """import os, resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def domain_xml(name: str, folder: Path) -> str:
    """A q35 domain as people have them: two disks, an interface, a console, spare root ports."""
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, PORTS + 8))
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type machine='q35'>hvm</type></os><features><acpi/></features>
<devices><controller type='pci' index='0' model='pcie-root'/>{ports}
<controller type='scsi' index='0' model='virtio-scsi'/><controller type='usb' model='none'/>
{disk_xml(folder, "root", "vda", shared=True)}{disk_xml(folder, "data", "vdb", shared=True)}
<interface type='user'><model type='virtio'/></interface>
<console type='pty'/><memballoon model='virtio'/></devices></domain>"""


def disk_xml(folder: Path, image: str, target: str, bus: str = "virtio", shared: bool = False) -> str:
    """A raw disk of 1 MiB; a ``shared`` one may be in several domains, and its use is not looked for in all others."""
    path = folder / f"{image}.img"
    if not path.exists():
        with path.open("wb") as file:
            file.truncate(1024 * 1024)
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{path}'/>"
        f"<target dev='{target}' bus='{bus}'/>{'<shareable/>' if shared else ''}</disk>"
    )


class Bench:
    """The private host with its domains, and the cases on them."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.ours = holdfast.connect(host.uri)
        self.bare = libvirt.open(host.uri)
        self.defined = 0

    def define_up_to(self, count: int) -> None:
        """Define shut-off domains until there are ``count``."""
        for number in range(self.defined, count):
            self.bare.defineXML(domain_xml(f"domain-{number:05}", self.host.images))
        self.defined = count

    def cases(self) -> Iterator[Case | Figure]:
        """All cases, each measured before the next is made. The domains are as before at the end."""
        yield from self._comparisons()
        yield Case("list", self._bare_list, lambda: operations.list_domains(self.ours))
        audit_aim = 1.0 if self.defined >= 5000 else None
        yield Case("audit", self._bare_audit, lambda: operations.audit_host(self.ours), audit_aim)
        yield from watch_cases(self.host.uri)
        yield from storage_cases(self.host.uri, self.host.images)
        yield from unlike_fleet(self.defined)
        yield from disk_image_cases(self.host.uri, self.host.images)
        yield Case("show", self._bare_show, lambda: operations.show_domain(self.ours, "domain-00000"))
        yield from self._config_cases()
        yield from self._live_cases()
        yield from settings_cases(self.ours, self.bare)
        if self.defined < 1000:
            yield from evacuation_cases(self.ours, self.bare, self.host.images, domain_xml)
        yield from follow_cases(self.ours, self.bare)
        yield from verify_cases(self.host, self.ours)
        yield from snapshot_cases(self.bare, self.ours, self.host.images)
        if self.defined <= 10:  # neither an import nor a migration depends on how many domains there are
            yield from arrival_cases(self.ours, self.bare, self.host.images)
            yield from migration_cases(self.host.images)
        yield Case("hard reboot", self._bare_reboot, self._reboot, aim=1.05)
        for name in ("domain-00000", "domain-00001"):
            self.bare.lookupByName(name).destroy()
        yield from rescue_cases(self.ours, self.bare, self.host.images)

    def process_cases(self) -> Iterator[Case]:
        """Whole processes, from start to exit."""
        holdfast_command = [str(Path(sys.executable).with_name("holdfast")), "-c", self.host.uri]
        virsh = [shutil.which("virsh") or "virsh", "-q", "-c", self.host.uri]
        aim = {10: 4.0, 5000: 0.25}.get(self.defined)
        yield Case("process: list", _process([*virsh, "list", "--all"]), _process([*holdfast_command, "list"]), aim)
        shown = "domain-00000"
        yield Case("process: show", _process([*virsh, "dumpxml", shown]), _process([*holdfast_command, "show", shown]))
        yield from history_cases(holdfast_command, self.ours, self.bare)

    def memory(self, command: str) -> float:
        """The most memory ``holdfast COMMAND`` took, in MiB (ru_maxrss of the process).

        A small process starts it: Linux counts what the starting process had as memory of the started one.
        """
        holdfast_command = [str(Path(sys.executable).with_name("holdfast")), "-c", self.host.uri, command]
        small = [sys.executable, "-S", "-c", _MEMORY_OF, *holdfast_command]
        return int(subprocess.run(small, stdout=subprocess.PIPE, check=True).stdout) / 1024

    def _comparisons(self) -> Iterator[Case]:
        """Two documents compared, beside the time lxml takes to parse both; no libvirt is asked."""
        domain = self.bare.lookupByName("domain-00000")
        config = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        live = domain.XMLDesc(0)
        domain.destroy()
        edited = config.replace("<vcpu placement='static'>1<", "<vcpu placement='static'>2<").replace("'vdb'", "'vdc'")
        for name, other in (("compare, edited", edited), ("compare, live", live)):
            parse = functools.partial(lambda texts: [etree.fromstring(text) for text in texts], (config, other))
            yield Case(name, parse, functools.partial(compare, config, other), aim=4.0)

    def _bare_list(self) -> None:
        for domain in self.bare.listAllDomains(0):
            domain.name()
            domain.state()

    def _bare_audit(self) -> None:
        for domain in self.bare.listAllDomains(0):
            domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    def _bare_show(self) -> None:
        domain = self.bare.lookupByName("domain-00000")
        domain.state()
        domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    def _config_cases(self) -> Iterator[Case]:
        """On two domains that are shut off: the device goes in and out again."""
        folder = self.host.images
        disks = {side: disk_xml(folder, side, "vdc") for side in ("ours", "bare")}

        def bare(call: str) -> Callable[[], object]:
            return lambda: getattr(self.bare.lookupByName("domain-00001"), call)(disks["bare"], CONFIG)

        def attach() -> object:
            return operations.attach_device(self.ours, "domain-00000", disks["ours"])

        def detach() -> object:
            return operations.detach_device(self.ours, "domain-00000", "vdc")

        def both(ours: Callable[[], object], call: str) -> Callable[[], object]:
            return lambda: (ours(), bare(call)())

        yield Case("attach, config", bare("attachDeviceFlags"), attach, after=both(detach, "detachDeviceFlags"))
        yield Case("detach, config", bare("detachDeviceFlags"), detach, before=both(attach, "attachDeviceFlags"))

    def _live_cases(self) -> Iterator[Case]:
        """On two running domains. A PCI device stays where it is attached, for no guest is there to release it.

        For detach it is a SCSI disk, which QEMU takes away without asking the guest: no guest's time is measured.
        """
        folder = self.host.images
        ours, bare = "domain-00000", "domain-00001"
        for name in (ours, bare):
            self.bare.lookupByName(name).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        attached = itertools.count(1)

        def fresh() -> None:
            """Start over with the ports free, when both have used them up."""
            if next(attached) % (PORTS - 1) == 0:
                for name in (ours, bare):
                    self._again(name)

        letters = "cdefghijklmnopqr"
        interface = "<interface type='user'><mac address='52:54:00:00:01:{:02x}'/><model type='virtio'/></interface>"
        kinds = {
            "disk": {
                name: itertools.cycle([disk_xml(folder, f"{name}-{letter}", f"vd{letter}") for letter in letters])
                for name in (ours, bare)
            },
            "interface": {
                name: itertools.cycle([interface.format(number) for number in range(len(letters))])
                for name in (ours, bare)
            },
        }
        for kind, devices in kinds.items():

            def bare_attach(devices: Devices = devices) -> None:
                domain, device = self.bare.lookupByName(bare), next(devices[bare])
                domain.attachDeviceFlags(device, CONFIG)
                domain.attachDeviceFlags(device, LIVE)

            def attach(devices: Devices = devices) -> None:
                operations.attach_device(self.ours, ours, next(devices[ours]))

            yield Case(f"attach {kind}", bare_attach, attach, aim=1.3, after=fresh)
            for name in (ours, bare):
                self._again(name)

        scsi = disk_xml(folder, "scsi", "sda", bus="scsi", shared=True)

        def attach_scsi() -> None:
            for name in (ours, bare):
                self.bare.lookupByName(name).attachDeviceFlags(scsi, LIVE | CONFIG)

        yield Case(
            "detach, live+config",
            lambda: self.bare.lookupByName(bare).detachDeviceFlags(scsi, LIVE | CONFIG),
            lambda: operations.detach_device(self.ours, ours, "sda"),
            before=attach_scsi,
        )

    def _again(self, name: str) -> None:
        """The domain anew and paused, with its first hardware."""
        domain = self.bare.lookupByName(name)
        domain.destroy()
        domain.undefine()
        self.bare.defineXML(domain_xml(name, self.host.images)).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

    def _bare_reboot(self) -> None:
        domain = self.bare.lookupByName("domain-00001")
        domain.destroy()
        domain.create()

    def _reboot(self) -> None:
        operations.reboot(self.ours, "domain-00000", hard=True)


def _process(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
