"""One worker of the matrix, inside a private host: it sees libvirt, files and processes as a user there does.

Started by :mod:`.matrix`. It reads a scenario's name and a point, one line of JSON each time, and answers with a line.
Each command runs in a fork of this process, which has imported all of Holdfast and has no thread.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import holdfast
import libvirt
from holdfast.__main__ import main as command_line
from holdfast.errors import HoldfastError
from holdfast.history.repository import HistoryPlace, Repository
from holdfast.libvirtapi.connection import Connection
from tests.faults import plants
from tests.faults.another_host import be_on_hv9
from tests.faults.judge import Ended, Run, judge, trace
from tests.faults.scenarios import MAC, SCENARIOS, UUID, Scenario
from tests.faults.steps import Fault, Point, Watcher, read_steps
from tests.faults.world import World, look

URI = "qemu:///system"
SOCKET = Path("/run/libvirt/libvirt-sock")
STATE = Path("/var/lib/libvirt/qemu")
KIB = 1024


class Host:
    """The private host from inside. ``daemon`` is the pipe by which its libvirtd is killed and started anew."""

    def __init__(self, folder: Path, daemon: int) -> None:
        self.images, self.temporary = folder / "images", folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = str(self.temporary)
        os.environ["HOME"] = str(folder / "home")
        self._daemon = daemon
        self._history, self._remote = folder / "history.git", folder / "remote.git"
        Connection.history_folder = property(lambda _: str(self._history))  # type: ignore[method-assign,assignment]
        self._empty_image = b""
        self._counted: tuple[Path, ...] = ()
        self._adopted: dict[str, str] = {}
        self.folders = {"images": self.images, "tmp": self.temporary, "home": folder / "home"}
        self._settings = folder / "history.toml"
        Connection.history_settings_file = property(lambda _: str(self._settings))  # type: ignore[method-assign,assignment]
        self.folders["copies"] = folder / "copies"
        self._settings.write_text(f'state = "{self.folders["copies"]}"\n')
        self.folders |= {name: STATE / name for name in ("nvram", "save", "ram")}
        with self.libvirt() as connection:
            pool = f"<pool type='dir'><name>default</name><target><path>{self.images}</path></target></pool>"
            connection.storagePoolDefineXML(pool).create()

    @contextlib.contextmanager
    def libvirt(self) -> Iterator[libvirt.virConnect]:
        """Bare libvirt, once it answers, over a connection of its own: nothing of it is open when we fork."""
        while (connection := _answering()) is None:
            time.sleep(0.05)
        try:
            yield connection
        finally:
            connection.close()

    def kill_daemon(self) -> None:
        """Kill libvirtd, and return when it answers again."""
        with contextlib.suppress(FileNotFoundError):
            SOCKET.unlink()
        os.write(self._daemon, b"daemon\n")
        with self.libvirt():
            return

    def end_forgotten(self) -> list[int]:
        """Kill the QEMUs of domains that libvirt takes for shut off, and return which they were."""
        with self.libvirt() as connection:
            known = {domain.UUIDString() for domain in connection.listAllDomains() if domain.isActive()}
        found = [pid for pid, uuid in _qemus() if uuid not in known]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.05)
        return found

    def begin_anew(self, scenario: Scenario) -> None:
        """Remove all that there is, and make what the scenario begins with."""
        self.end_forgotten()
        with self.libvirt() as connection:
            for domain in connection.listAllDomains():
                if domain.isActive():
                    domain.destroy()
            for domain in connection.listAllDomains():
                flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                domain.undefineFlags(flags | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
            for folder in self.folders.values():
                for path in folder.iterdir() if folder.is_dir() else ():
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            self.folders["copies"].mkdir(mode=0o700, exist_ok=True)
            self._prepare_files()
            connection.storagePoolLookupByName("default").refresh()
            document = self._document(scenario)
            connection.defineXML(document if scenario.foreign else self._adopted.get(document, document))
        if not scenario.foreign and document not in self._adopted:
            self._adopt(document)
        self._begin_history(scenario)
        for line in scenario.prepare:
            words = self._words(line)
            if words[0] == "crash":
                self._crash(words[1])
            elif words[0] == "on-hv9":
                with self.libvirt() as connection:
                    be_on_hv9(connection, words[1], self.temporary / "hv9.git", self._remote)
            elif words[0] in ("virsh", "mv", "cp", "rm"):
                subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            else:
                ended = self.run(words)
                assert ended.code == 0, (line, ended)

    def _begin_history(self, scenario: Scenario) -> None:
        for folder in (self._history, self._remote):
            shutil.rmtree(folder, ignore_errors=True)
        self._history.mkdir()
        shutil.chown(self._history, "root", "libvirt")
        self._history.chmod(0o2770)
        self._counted = (self._history, self._remote) if scenario.entries else ()
        if scenario.entries or "{remote}" in scenario.words:
            subprocess.run(["git", "init", "-q", "--bare", str(self._remote)], check=True)

    def damage_of_history(self) -> list[str]:
        """What is wrong with the history, in sentences: it can be read whole, and written to."""
        try:
            with Repository(HistoryPlace(self._history, shared=True)) as repository:
                for uuid in repository.uuids():
                    for entry in repository.entries(uuid):
                        assert repository.kept(entry).document
        except HoldfastError as error:
            return [str(error)]
        ended = self.run(["history", "record"])
        return [f"history record: {ended.err}"] * (ended.code != 0)

    def _adopt(self, document: str) -> None:
        """Adopt "a", and keep what became of its ``document``: it is the same each time."""
        ended = self.run(["adopt", "a"])
        assert ended.code == 0, ended
        with self.libvirt() as connection:
            flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
            self._adopted[document] = connection.lookupByName("a").XMLDesc(flags)

    def _crash(self, name: str) -> None:
        """Kill the QEMU of a domain, and return when libvirt knows."""
        os.kill(int(Path(f"/run/libvirt/qemu/{name}.pid").read_text()), signal.SIGKILL)
        with self.libvirt() as connection:
            while connection.lookupByName(name).isActive():
                time.sleep(0.05)

    def _prepare_files(self) -> None:
        if not self._empty_image:
            image = self.images / "root.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "1M"], check=True)
            self._empty_image = image.read_bytes()
        for name in ("root", "more"):
            (self.images / f"{name}.qcow2").write_bytes(self._empty_image)
        for name in ("cd", "other"):
            (self.images / f"{name}.img").write_bytes(bytes(256 * KIB))
        (self.temporary / "password").write_text("n3w")
        (self.temporary / "user-data").write_text("#cloud-config\n")
        (self.temporary / "watchdog.xml").write_text(
            "<watchdog model='i6300esb' action='reset'><alias name='ua-dog'/></watchdog>"
        )
        disk = (
            f"<source file='{self.images}/more.qcow2'/><driver name='qemu' type='qcow2'/><target dev='sdb' bus='scsi'/>"
        )
        (self.temporary / "scsi.xml").write_text(f"<disk type='file' device='disk'>{disk}</disk>")
        other = self._document(Scenario("")).replace(UUID, f"{UUID[:-1]}6").replace("<name>a<", "<name>b<")
        (self.temporary / "b.xml").write_text(other.replace("root.qcow2", "more.qcow2").replace(MAC, f"{MAC[:-1]}2"))

    def _document(self, scenario: Scenario) -> str:
        ports = "".join(f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 9))
        code, template = ("CODE", "VARS.ms") if scenario.firmware == "2M" else ("CODE_4M", "VARS_4M")
        loader = f"<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_{code}.fd</loader>"
        nvram = f"<nvram template='/usr/share/OVMF/OVMF_{template}.fd'>{STATE}/nvram/a_VARS.fd</nvram>"
        firmware = f"{loader}{nvram}" if scenario.firmware else ""
        graphics = "<graphics type='vnc' passwd='old' socket='/run/vnc'/>" if scenario.graphics else ""
        return f"""<domain type='qemu'><name>a</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory>
  <os><type machine='pc-q35-7.0'>hvm</type>{firmware}</os><features><acpi/></features>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  <devices><controller type='pci' index='0' model='pcie-root'/>{ports}<controller type='usb' model='none'/>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{self.images}/root.qcow2'/>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{self.images}/cd.img'/>
      <target dev='sda' bus='sata'/><readonly/></disk>
    <interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>
    {graphics}<memballoon model='virtio'/></devices></domain>"""

    def _words(self, line: str) -> list[str]:
        folders = {"images": self.images, "tmp": self.temporary, "history": self._history, "remote": self._remote}
        return shlex.split(line.format(**folders))

    def run(self, words: list[str], *, editor: str = "", point: Point | None = None, plant: str = "") -> Ended:
        """``holdfast words`` in a process of its own, with a fault at ``point``."""
        pipes = {name: os.pipe() for name in ("out", "err", "notes")}
        child = os.fork()
        if child == 0:
            self._be_command(words, editor, {name: pipe[1] for name, pipe in pipes.items()}, point, plant)
        for _, write in pipes.values():
            os.close(write)
        texts, status = _listen(child, {name: pipe[0] for name, pipe in pipes.items()})
        code = os.waitstatus_to_exitcode(status)
        return Ended(words, code, texts["out"], texts["err"], read_steps(texts["notes"]))

    def _be_command(
        self, words: list[str], editor: str, pipes: dict[str, int], point: Point | None, plant: str
    ) -> None:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(pipes["out"], 1)
        os.dup2(pipes["err"], 2)
        os.environ["EDITOR"] = editor
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["holdfast", "-c", URI, "--lock-timeout", "20", *words]
        leave = os._exit
        try:
            if plant:
                plants.put(plant)
            watcher = Watcher(pipes["notes"], point, self.kill_daemon)
            watcher.install()

            def end(status: int) -> NoReturn:
                watcher.end()
                leave(status)

            os._exit = end
            command_line()
        except KeyboardInterrupt:  # at the end, when no code of ours runs any more
            leave(130)
        finally:
            leave(70)  # nothing of our parent's is closed

    def settle(self) -> World:
        """The world once libvirt and all processes that a command left are done."""
        before: World | None = None
        while True:
            while _at_work():
                time.sleep(0.05)
            with self.libvirt() as connection:
                for domain in connection.listAllDomains():
                    with contextlib.suppress(libvirt.libvirtError):  # it is off, or has ended meanwhile
                        domain.blockInfo("vda")  # waits for the job of a call that goes on
                world = look(connection, self.folders)
            world |= {f"{folder.name}: entries": _entries(folder) for folder in self._counted}
            if world == before:
                return world
            before = world
            time.sleep(0.1)

    def starts(self, name: str) -> str:
        """ "" where bare libvirt starts the domain, paused, and ended or saved again as it was; else what it says."""
        with self.libvirt() as connection:
            try:
                domain = connection.lookupByName(name)
                if not domain.isActive():
                    is_saved = domain.hasManagedSaveImage(0)
                    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
                    if is_saved:
                        domain.managedSave(libvirt.VIR_DOMAIN_SAVE_PAUSED)
                    else:
                        domain.destroy()
            except libvirt.libvirtError as error:
                return str(error)
        return ""

    def reasons(self) -> tuple[tuple[int, ...], ...]:
        """Why each domain is in its state, as libvirt has it in memory."""
        with self.libvirt() as connection:
            return tuple(sorted(tuple(domain.state()) for domain in connection.listAllDomains()))

    def named(self) -> list[str]:
        """What the audit says of this host that needs attention, in sentences."""
        ended = self.run(["audit", "-o", "json"])
        hosts = json.loads(ended.out)["hosts"]
        found = [finding["sentence"] for host in hosts for report in host["domains"] for finding in report["findings"]]
        return found + [str(each) for host in hosts for each in host.get("orphans", ())]

    def command(self, scenario: Scenario, point: Point | None = None, plant: str = "") -> Ended:
        """The command of the scenario."""
        return self.run(self._words(scenario.words), editor=scenario.editor, point=point, plant=plant)


def _listen(child: int, pipes: dict[str, int]) -> tuple[dict[str, str], int]:
    """What a process writes until it ends; its own children may keep the pipes open."""
    watched = {descriptor: name for name, descriptor in pipes.items()}
    texts = dict.fromkeys(pipes, b"")
    ended = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([*watched, ended], [], [])
        for descriptor in ready:
            if descriptor in watched:
                data = os.read(descriptor, 65536)
                texts[watched[descriptor]] += data
                if not data:
                    os.close(descriptor)
                    del watched[descriptor]
        if ready == [ended]:
            break
    _, status = os.waitpid(child, 0)
    for descriptor in (*watched, ended):
        os.close(descriptor)
    return {name: data.decode(errors="replace") for name, data in texts.items()}, status


def _entries(folder: Path) -> str:
    """How many commits each line has in the history at ``folder``, as git counts them."""
    git = ["git", f"--git-dir={folder}"]
    listed = subprocess.run([*git, "for-each-ref", "--format=%(refname)"], capture_output=True, text=True, check=False)
    counted = [
        subprocess.run([*git, "rev-list", "--count", ref], capture_output=True, text=True, check=False).stdout
        for ref in listed.stdout.split()
    ]
    return ", ".join(map(str.strip, counted))


def _answering() -> libvirt.virConnect | None:
    """A connection; None while libvirtd is being started anew."""
    try:
        return libvirt.open(URI)
    except libvirt.libvirtError:
        return None


def _qemus() -> Iterator[tuple[int, str]]:
    """The process and the domain's UUID of each QEMU that runs."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = each.read_bytes().decode(errors="replace").split("\0")
            if "-uuid" in words:
                yield int(each.parent.name), words[words.index("-uuid") + 1]


def _at_work() -> bool:
    """True while a process runs that a command has started and that will end by itself."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            program = each.read_bytes().split(b"\0")
            name = os.path.basename(program[0]).decode()  # noqa: PTH119
            if name in ("qemu-img", "xorriso", "swtpm_setup") or b"holdfast.hostfiles.child_process" in program:
                return True
    return False


def _import_all() -> None:
    for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if "__main__" not in module.name:
            importlib.import_module(module.name)


def main(folder: str, daemon: str) -> None:
    """Answer requests until there are no more."""
    _import_all()
    libvirt.registerErrorHandler(lambda *_: None, None)
    sys.dont_write_bytecode = True
    host = Host(Path(folder), int(daemon))
    runs: dict[str, Run] = {}
    for line in sys.stdin:
        request = json.loads(line)
        scenario = SCENARIOS[request["scenario"]]
        if scenario.name not in runs:
            runs[scenario.name] = trace(host, scenario)
        run = runs[scenario.name]
        if "step" not in request:
            print(json.dumps([[step.number, step.kind.value, step.what] for step in run.steps]), flush=True)
            continue
        point = Point(Fault[request["fault"]], request["step"], request["during"])
        verdict = judge(host, scenario, run, point, request.get("plant", ""))
        print(json.dumps(verdict.as_json()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
