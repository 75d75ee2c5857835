"""Run mutmut over modules of holdfast, each in a folder of its own below build/mutation that is kept between runs.

Called by scripts/mutation, which has installed what is needed. mutmut copies the sources, with all mutants in them,
finds the tests that call each function, and runs these, the quick ones first, in a process for each mutant. It leaves
decorated functions (properties, context managers) and what stands outside functions alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src", "holdfast")
_OTHERWISE = "not gigantic and not locale and not hostile_values and not reaches_the_guest"
"""Without tests that start other processes, that look for functions and would find mutants, or that take seconds."""


def _libvirt(*names: str) -> list[str]:
    """These tests of the libvirt tier: files, folders, or patterns."""
    return [str(path.relative_to(ROOT)) for each in names for path in ROOT.glob(f"tests/libvirt/{each}")]


TESTS = {
    "domainxml": ["tests/xml", "-k", _OTHERWISE],
    "operations": _libvirt(
        "test_*.py", "devices", "domain/test_edit.py", "look", "power/test_power.py", "power/test_repair.py"
    ),
    "operations.asked_of_libvirt": _libvirt("test_asked_of_libvirt.py", "domain/test_asked_before.py"),
    "operations.connect": ["tests/xml/test_named_by_a_person.py"],
    "operations.disk_source": _libvirt("disks/test_disk_source.py"),
    "operations.documents": ["tests/xml/test_documents.py", *_libvirt("test_session.py")],
    "operations.domain_name": ["tests/xml/test_domain_names.py", *_libvirt("test_one_condition.py")],
    "operations.facts": _libvirt("test_session.py"),
    "operations.files": ["tests/xml/test_named_by_a_person.py"],
    "operations.guard": _libvirt("test_guard.py"),
    "operations.host.capabilities": ["tests/xml/outlook/test_host_capabilities.py"],
    "operations.host.outlook": ["tests/xml/outlook"],
    "operations.host.provides": _libvirt("look/test_provides.py"),
    "operations.host.name_firmware": ["tests/xml/outlook/test_name_firmware.py"],
    "operations.managed_save": _libvirt("power/test_save.py"),
    "operations.own_state": _libvirt("state/test_own_state.py"),
    "operations.power_record": _libvirt("power/test_power_record.py", "power/test_unrecorded.py"),
    "operations.proved_edit": _libvirt("test_edit_document.py"),
    "operations.session": [*_libvirt("test_session.py", "test_exit_codes.py"), "-k", "not nothing_is_changed"],
    "operations.truthful_errors": ["tests/xml/test_concealing.py", "tests/xml/test_told_changes.py"],
    "operations.waiting": ["tests/xml/test_waiting.py"],
}
"""Layer, or module whose tests would take minutes for each mutant → the tests that cover it, as pytest's arguments."""

MODULES = ["domainxml.compare", *(each for each in TESTS if "." in each)]
"""What is mutated where nothing is named: the comparison, and of the ground of operations what has its own tests."""

_DEAD = (1, 36)
"""mutmut's exit codes of mutants that tests killed, or that never end."""

CONFIGURATION = """\
[mutmut]
source_paths = src
only_mutate =
    {files}
process_isolation = forkserver
use_git_change_detection = false
track_dependencies = false
timeout_multiplier = 20
pytest_add_cli_args =
    -p
    no:xdist
    -p
    no:cacheprovider
pytest_add_cli_args_test_selection =
    {tests}
"""


QUICK_FIRST = """\
import json
from pathlib import Path


def pytest_collection_modifyitems(items):
    stats = Path("mutmut-stats.json")
    took = json.loads(stats.read_text())["duration_by_test"] if stats.exists() else {}
    items.sort(key=lambda item: took.get(item.nodeid, 0))
"""
"""A conftest: mutmut 3.8 sorts tests by itself where it forks, which a process with a libvirt inside cannot."""


def sources(module: str) -> list[Path]:
    """The files of a module, or of the package of this name without its rooms; empty where there is none."""
    path = ROOT.joinpath(PACKAGE, *module.split("."))
    return sorted(path.glob("*.py")) or [file for file in [path.with_suffix(".py")] if file.is_file()]


def prepare(module: str) -> Path:
    """The folder in which mutmut runs for ``module``, with a copy of the sources and tests in it."""
    folder = ROOT / "build" / "mutation" / module
    # Python remembers that a folder of its path is not there: it would take the sources that are not mutated.
    (folder / "mutants" / "src").mkdir(parents=True, exist_ok=True)
    for old in ("src", "tests", "mutants/tests"):
        shutil.rmtree(folder / old, ignore_errors=True)
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "mutants" / "conftest.py").write_text(QUICK_FIRST)
    files = [str(file.relative_to(ROOT)) for file in sources(module)]
    tests = TESTS.get(module) or TESTS[module.split(".")[0]]
    lists = {"files": "\n    ".join(files), "tests": "\n    ".join(tests)}
    (folder / "setup.cfg").write_text(CONFIGURATION.format(**lists))
    try_survivors_again(folder)
    return folder


def try_survivors_again(folder: Path) -> None:
    """Let mutmut forget what it has found about mutants that no test killed: there may be tests for them now."""
    for file in (folder / "mutants" / "src").rglob("*.meta"):
        found = json.loads(file.read_text())
        codes = found["exit_code_by_key"]
        found["exit_code_by_key"] = {name: code if code in _DEAD else None for name, code in codes.items()}
        file.write_text(json.dumps(found))


def mutmut(folder: Path, *arguments: str, enclosed: bool = False) -> list[str]:
    """The command line that runs mutmut; in an enclosure where its tests start a libvirt, which needs root."""
    environment = {"CI": "true", "PYTHONPATH": f"{folder}/mutants/src:{ROOT}/scripts"}
    command = ["env", *(f"{name}={text}" for name, text in environment.items()), sys.executable, "-m"]
    if not enclosed:
        return [*command, "mutmut", *arguments]
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    enclosure = [sys.executable, "-m", "holdfast_lab.enclosure", "--emulate"]
    return [*as_root, *enclosure, *command, "mutmut_in_sessions", *arguments]


def survivors(folder: Path) -> list[str]:
    """The names of the mutants for which no test failed, or which no test calls."""
    listed = subprocess.run(mutmut(folder, "results"), cwd=folder, capture_output=True, text=True, check=True).stdout
    return [line.split(":")[0].strip() for line in listed.splitlines() if line.endswith((": survived", ": no tests"))]


def main() -> int:
    """Run the modules' mutants one module after another and show those that survive; 1 when there is one."""
    parser = argparse.ArgumentParser(prog="scripts/mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"below holdfast; default: {' '.join(MODULES)}")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at a time (%(default)s)")
    options = parser.parse_args()
    found = 0
    for module in options.modules or MODULES:
        layer = module.split(".")[0]
        if layer not in TESTS or not sources(module):
            parser.error(f"no such module of {' or '.join(TESTS)}: {module}")
        print(f"== {module}", flush=True)
        folder = prepare(module)
        run = mutmut(folder, "run", "--max-children", str(options.processes), enclosed=layer == "operations")
        if status := subprocess.run(run, cwd=folder).returncode:
            return status
        for name in survivors(folder):
            found += 1
            print(f"-- {name}", flush=True)
            subprocess.run(mutmut(folder, "show", name), cwd=folder, check=True)
    print(f"{found} survived")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
