"""The driver is found as ``nova.virt.holdfast``, whichever of Python's site directories Nova and our wheel are in.

A distribution's Nova is in one, and what pip installs in another. Nova here is the wheel of its release without what
it needs to run; where a whole one is at hand (NOVA_VENV, or that of the lab), the driver itself is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAB = Path("~/.cache/holdfast/nova-lab").expanduser()

_PACKAGE = "compute-*/lib/python*/site-packages/nova/virt"

Python = Callable[..., subprocess.CompletedProcess[str]]

FOUND = "import importlib.util as u; print(u.find_spec('nova.virt.holdfast').origin)"
NOT_FOUND = "import importlib.util as u; print(u.find_spec('nova.virt.holdfast'))"
LOADED = "import sys; print(*sorted(name for name in sys.modules if not name.startswith(('_', 'encodings'))))"


def pip(*args: str | Path) -> None:
    """Run pip, which must succeed; the library has its own of everything, so that nothing is resolved."""
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *map(str, args)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def install(into: Path, *what: str | Path) -> Path:
    """``what`` in the folder ``into``, as pip leaves it there."""
    pip("install", "--no-deps", "--upgrade", "--target", into, *what)
    return into


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel."""
    made = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", made, ROOT / "nova")
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def ours(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site directory with our wheel alone."""
    return install(tmp_path_factory.mktemp("ours"), wheel)


@pytest.fixture(scope="session")
def novas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site directory with Nova alone."""
    return install(tmp_path_factory.mktemp("nova"), "nova==34.*")


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Runs code in a Python that has these site directories, in this order, and no others but the standard library."""

    def run(code: str, *sites: Path, base: str | Path = sys.executable) -> subprocess.CompletedProcess[str]:
        subprocess.run([base, "-m", "venv", "--clear", "--without-pip", tmp_path / "python"], check=True)
        (folder,) = tmp_path.glob("python/lib/python*/site-packages")
        (folder / "sites.pth").write_text("".join(f"import site; site.addsitedir({str(site)!r})\n" for site in sites))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [str(tmp_path / "python/bin/python"), "-W", "ignore", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)

    return run


@pytest.mark.parametrize("first", ["ours", "nova"])
def test_the_driver_is_found_beside_a_nova_in_another_directory(
    python: Python, ours: Path, novas: Path, first: str
) -> None:
    run = python(FOUND, *((ours, novas) if first == "ours" else (novas, ours)))
    assert (run.stdout, run.stderr) == (f"{ours}/holdfast_nova/nova_virt_holdfast.py\n", "")


def test_the_driver_is_found_in_the_directory_of_nova(python: Python, wheel: Path, novas: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    subprocess.run(["cp", "-a", novas, both], check=True)
    install(both, wheel)
    run = python(FOUND, both)
    assert (run.stdout, run.stderr) == (f"{both}/holdfast_nova/nova_virt_holdfast.py\n", "")


def test_a_wheel_with_a_module_in_novas_package_is_not_found_in_another_directory(
    python: Python, novas: Path, tmp_path: Path
) -> None:
    naive = tmp_path / "naive"
    (naive / "nova/virt/holdfast").mkdir(parents=True)
    (naive / "nova/virt/holdfast/__init__.py").write_text("")
    assert python(NOT_FOUND, novas, naive).stdout == "None\n"


def test_it_is_the_pth_file_that_makes_it_found(python: Python, wheel: Path, novas: Path, tmp_path: Path) -> None:
    ours = install(tmp_path / "ours", wheel)
    (ours / "holdfast-nova.pth").unlink()
    assert python(NOT_FOUND, ours, novas).stdout == "None\n"


def test_importing_it_gives_the_driver(python: Python, ours: Path) -> None:
    """Needs all that Nova needs: its virtual environment is one site directory, our wheel another."""
    whole = os.environ.get("NOVA_VENV") or next((str(path.parents[4]) for path in sorted(LAB.glob(_PACKAGE))), None)
    if whole is None:
        pytest.skip("no virtual environment with Nova at hand; NOVA_VENV names one")
    (packages,) = Path(whole).glob("lib/python*/site-packages")
    code = (
        "import importlib, nova.virt; driver = importlib.import_module('nova.virt.holdfast').HoldfastLibvirtDriver; "
        "(stock,) = [base.__module__ for base in driver.__mro__ if base.__name__ == 'LibvirtDriver']; "
        "print(driver.__module__, stock, nova.virt.__file__)"
    )
    run = python(code, ours, ROOT / "src", packages, base=Path(whole) / "bin/python")
    expected = f"holdfast_nova.driver nova.virt.libvirt.driver {packages}/nova/virt/__init__.py\n"
    assert run.stdout == expected, run.stderr


def test_no_other_name_is_answered_for(python: Python, ours: Path) -> None:
    others = ["nova", "nova.virt", "nova.virt.holdfast.driver", "nova.virt.holdfast2", "holdfast", "holdfast_nova", ""]
    asked = [*others, "nova.virt.holdfast"]
    code = f"import sys; print([name for name in {asked} if sys.meta_path[-1].find_spec(name, None) is not None])"
    assert python(code, ours).stdout == "['nova.virt.holdfast']\n"


def test_all_else_of_nova_is_novas_own(python: Python, ours: Path, novas: Path) -> None:
    code = "import importlib.util as u\nfor name in {names}: print((u.find_spec(name) or u).__dict__.get('origin'))"
    names = ["nova", "nova.virt", "nova.virt.driver", "nova.virt.libvirt", "nova.virt.fake", "nova.virt.nothing"]
    with_ours, without = (python(code.format(names=names), *sites) for sites in ((ours, novas), (novas,)))
    assert with_ours.stdout == without.stdout
    assert with_ours.stdout.count(f"{novas}/nova/") == 5
    assert with_ours.stdout.endswith("\nNone\n")


def test_a_python_without_nova_starts_as_before(python: Python, ours: Path) -> None:
    run = python("import nova.virt.holdfast", ours)
    assert run.stderr.endswith("ModuleNotFoundError: No module named 'nova'\n")
    with_ours, without = python(LOADED, ours), python(LOADED)
    assert (with_ours.returncode, with_ours.stderr) == (0, "")
    more = set(with_ours.stdout.split()) - set(without.stdout.split())
    assert {"holdfast_nova", "holdfast_nova.importable"} <= more
    assert not {name for name in more if name.split(".")[0] not in {*sys.stdlib_module_names, "holdfast_nova"}}
