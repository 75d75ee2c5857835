"""``python -m tests.faults.cold_move``: a domain that is shut off moves to another host; at each step something ends.

At each step of ``migrate --copy-storage``, and while libvirt is at a call, the command is killed or interrupted, or one
of the libvirtds is killed. Whatever it was, at most one copy starts, the exit code is true, and repeating the command
ends as the undisturbed run. Needs an enclosure: ``scripts/faults cold-migration`` runs it there.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import libvirt
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import BeingMoved
from holdfast.domainxml.metadata import fact
from holdfast.errors import HoldfastError
from holdfast.errors.domains import ARRIVING
from holdfast.hostfiles.digest import sha256_of
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.patience import wait_until
from tests.faults.between_hosts import Case, Ended, answers, run
from tests.faults.judge import NOTHING_CHANGED
from tests.faults.steps import Fault, Kind, Step, points, read_steps
from tests.faults.world import World, differences
from tests.libvirt.domains import CONFIG, remove_domains

MIB = 1 << 20
IMAGE = "a.raw"
_FAULTS = {
    "killed": Fault.KILL,
    "interrupted": Fault.INTERRUPT,
    "source": Fault.DAEMON,
    "destination": Fault.DAEMON,
}
_STATE = ("swtpm", "qemu/nvram")
"""Where in its /var/lib/libvirt a host has the state of domains."""


@dataclass(frozen=True)
class Pair:
    """Two hosts, the folder of the images, and what the domain is made of."""

    hosts: tuple[Host, Host]
    folder: Path
    kept: Path
    document: str

    @property
    def there(self) -> Path:
        """Where the images go."""
        return self.folder / "there"

    @property
    def options(self) -> list[str]:
        """Of ``migrate``."""
        return ["--copy-storage", "--map-path", f"{self.folder}={self.there}"]


def main() -> int:
    """The table of all cases; 1 where one is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/faults cold-migration")
    parser.add_argument("--fault", choices=_FAULTS, action="append")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only one case of N")
    parser.add_argument("--steps", action="store_true", help="only the steps that the command takes")
    asked = parser.parse_args()
    counted: Counter[str] = Counter()
    with private_host("kelp") as one, private_host("rock") as other, tempfile.TemporaryDirectory() as folder:
        pair = _first(one, other, Path(folder))
        begin_anew(pair)
        before = settled(pair)
        ended = run(pair.hosts, pair.options)
        assert ended.code == 0, ended
        after, steps = settled(pair), read_steps(ended.notes)
        if asked.steps:
            print(*(f"{step.number}\t{step.kind}\t{step.what}" for step in steps), sep="\n")
            return 0
        for case in list(_cases(steps, asked.fault or list(_FAULTS)))[:: asked.every]:
            verdict = _judge(pair, case, before, after)
            counted[verdict.partition(":")[0]] += 1
            print(f"{case}: {verdict}", flush=True)
    print(", ".join(f"{count} {what}" for what, count in counted.items()))
    return int("wrong" in counted)


def _cases(steps: list[Step], faults: list[str]) -> Iterator[Case]:
    """Every fault before each step, and while libvirt is at a call that changes more than which pools there are.

    Files are those of the lock and the history: scripts/faults tries them.
    """
    for name in faults:
        for point in points(steps, _FAULTS[name]):
            step = steps[point.step - 1]
            is_short = point.during and step.what.startswith("virStoragePool")
            if step.kind not in (Kind.FILE, Kind.NEW_FILE) and not is_short:
                yield Case(name, point, step)


def _judge(pair: Pair, case: Case, before: World, after: World) -> str:
    """ "clean" where the domain is at one host alone, "left" where the next command says and finishes it."""
    begin_anew(pair)
    ended = run(pair.hosts, pair.options, case)
    world = settled(pair)
    wrong = [*_false_code(ended, before, world, after), *_starts_twice(pair)]
    again = run(pair.hosts, pair.options)
    if again.code == 6:  # its own libvirtd was just coming back
        again = run(pair.hosts, pair.options)
    if differing := differences(after, settled(pair)):
        wrong.append(f"repeated (exit {again.code} {again.said}), not as undisturbed: {'; '.join(differing)}")
    if again.code not in ((0, 3) if world == after else (0,)):
        wrong.append(f"repeated: exit {again.code} {again.said}")
    said = f"exit {ended.code} {ended.said}"
    if wrong:
        return f"wrong: {said}\n  " + "\n  ".join(wrong)
    return f"{'clean' if world in (before, after) else 'left'}: {said}"


def _false_code(ended: Ended, before: World, world: World, after: World) -> Iterator[str]:
    if ended.code == 0 and (missing := differences(after, world)):
        yield f"exit code 0, but: {'; '.join(missing)}"
    if ended.code in NOTHING_CHANGED and (changed := differences(before, world)):
        yield f"exit code {ended.code} as if nothing were changed, but: {'; '.join(changed)}"
    if "Traceback" in ended.said or "should not have happened" in ended.said:
        yield f"it ended with a defect: {ended.said}"


def _starts_twice(pair: Pair) -> Iterator[str]:
    """What is wrong with where the domain would start, and with what the audit says of a copy that would not."""
    with open_connection(pair.hosts[0].uri) as here, open_connection(pair.hosts[1].uri) as there:
        starts = [_starts(connection) for connection in (here, there)]
        if starts not in ([True, None], [True, False], [None, True], [None, False]):
            yield f"it starts here and there: {starts}"
        if starts[1] is False:
            reports = operations.audit_host(there).domains
            if not any("its move from" in finding.sentence for report in reports for finding in report.findings):
                yield "the audit does not name the copy that is arriving"


def _starts(connection: Connection) -> bool | None:
    """Whether Holdfast would start the domain there; False where it is arriving, None where it is not there."""
    if not connection.domains():
        return None
    try:
        operations.start(connection, "a", paused=True, dry_run=True)
    except HoldfastError as error:
        if error.code == ARRIVING.code:
            return False
        raise
    return True


def _first(one: Host, other: Host, folder: Path) -> Pair:
    """Make the domain once: with UEFI variables, TPM state, and an image."""
    kept, image = folder / "kept", folder / IMAGE
    disk = DiskSpec(path=str(image), size=MIB, format="raw")
    (folder / "there").mkdir()
    with open_connection(one.uri) as connection:
        spec = DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none", firmware="uefi", tpm=True)
        operations.create_domain(connection, "a", spec)
        image.write_bytes(b"data" * (MIB // 4))
        operations.start(connection, "a", paused=True)  # that makes the variables and the TPM's state
        operations.destroy(connection, "a")
        document = connection.find_domain("a").xml(CONFIG, secure=True)
    for name in _STATE:
        shutil.copytree(one.folder / "lib" / name, kept / name)
    shutil.copy(image, kept)
    return Pair((one, other), folder, kept, document)


def begin_anew(pair: Pair) -> None:
    """The domain is on the first host with all that it has, and nothing of it on the other."""
    for host in pair.hosts:
        wait_until(lambda host=host: answers(host), "libvirtd does not come back")  # type: ignore[misc]
        with open_connection(host.uri) as connection:
            remove_domains(connection)
            for pool in connection._handle.listAllStoragePools():
                pool.destroy()
            shutil.rmtree(str(connection.history_folder), ignore_errors=True)
            Path(str(connection.history_folder)).mkdir(parents=True)
        for name in _STATE:
            _empty(host.folder / "lib" / name)
    for name in _STATE:
        shutil.copytree(pair.kept / name, pair.hosts[0].folder / "lib" / name, dirs_exist_ok=True)
    _empty(pair.there)
    shutil.copy(pair.kept / IMAGE, pair.folder)
    with open_connection(pair.hosts[0].uri) as connection:
        connection.define(pair.document).set_autostart(True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def settled(pair: Pair) -> World:
    """What there is of the domain on both hosts, once nothing is done any more."""
    before: World | None = None
    while True:
        for host in pair.hosts:
            wait_until(lambda host=host: answers(host), "libvirtd does not come back")  # type: ignore[misc]
        with suppress(HoldfastError, libvirt.libvirtError, FileNotFoundError):  # something is just going
            now = dict(_world(pair))
            if now == before:
                return now
            before = now


def _world(pair: Pair) -> Iterator[tuple[str, str]]:
    for host in pair.hosts:
        with open_connection(host.uri) as connection:
            for domain in connection.domains():
                document = domain.xml(CONFIG, secure=True)
                if fact(parse(document), BeingMoved) is not None:
                    document = "arriving"  # since another time each time
                yield f"{host.name}: document", document
                yield f"{host.name}: autostart", str(domain.autostart())
            for pool in connection._handle.listAllStoragePools():
                yield f"{host.name}: pool {pool.name()}", "is there"
        for name in _STATE:
            yield from _files(f"{host.name}: ", host.folder / "lib" / name)
    yield from _files("", pair.there)
    yield "the image here", sha256_of(str(pair.folder / IMAGE))


def _files(whose: str, folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{whose}{path.relative_to(folder.parent)}", sha256_of(str(path))


if __name__ == "__main__":
    sys.exit(main())
