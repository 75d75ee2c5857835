"""The three distributions: what their archives hold, what their metadata says, what works where parts are missing."""

from __future__ import annotations

import email
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import holdfast
from tests.rules.architecture import ROOT

SOURCES = {"holdfast": ROOT, "holdfast_lab": ROOT / "lab", "holdfast_nova": ROOT / "nova"}
"""Package → the folder of its distribution."""

BUILD = "import sys, hatchling.build as build\nfor kind in sys.argv[2:]: getattr(build, f'build_{kind}')(sys.argv[1])"

IMPORT_ALL = """
import importlib, pkgutil, sys
import holdfast, holdfast.operations
for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
    if not module.name.startswith(("holdfast.cli", "holdfast.__main__")):
        importlib.import_module(module.name)
assert all(getattr(holdfast.operations, name) for name in holdfast.operations.__all__)
print(*sorted({"click", "rich", "holdfast_lab"} & set(sys.modules)))
"""

RICH = ["rich", "markdown_it", "mdurl", "pygments"]
"""rich and what it needs."""


@dataclass(frozen=True)
class Distribution:
    """What was built of one of them: its package, the unpacked sdist, the wheels of checkout and sdist."""

    package: str
    sdist: Path
    wheel: Path
    wheel_of_sdist: Path

    @property
    def source(self) -> Path:
        """Its folder in this checkout."""
        return SOURCES[self.package]

    def files(self) -> dict[str, bytes]:
        """File name → contents in the wheel, without the folder of its metadata."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}

    def described(self, name: str = "METADATA") -> str:
        """A file of the wheel's metadata."""
        folder = f"{self.package}-{holdfast.__version__}.dist-info"
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.read(f"{folder}/{name}").decode()

    def metadata(self) -> Message:
        """The metadata; its payload is the long description."""
        return email.message_from_string(self.described())


def build(source: Path, target: Path, *kinds: str) -> None:
    """Build ``kinds`` ("sdist", "wheel") of the distribution in ``source`` with the hatchling of this Python."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", BUILD, str(target), *kinds]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=SOURCES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """Each distribution, built from this checkout, and its wheel from its sdist besides."""
    package: str = request.param
    dist, unpacked, again = (tmp_path_factory.mktemp(name) for name in ("dist", "unpacked", "again"))
    build(SOURCES[package], dist, "sdist", "wheel")
    subprocess.run(["tar", "-xf", next(dist.glob("*.tar.gz")), "-C", unpacked], check=True)
    (sdist,) = unpacked.iterdir()
    build(sdist, again, "wheel")
    return Distribution(package, sdist, next(dist.glob("*.whl")), next(again.glob("*.whl")))


def test_an_sdist_holds_what_git_does_and_nothing_else(built: Distribution) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=built.source, check=True, capture_output=True, text=True).stdout
    here = {name for name in listed.split("\0") if name and (built.source / name).exists()}
    held = {str(path.relative_to(built.sdist)) for path in built.sdist.rglob("*") if path.is_file()}
    assert held == here | {"PKG-INFO", ".gitignore"}


def test_an_sdist_gives_the_same_wheel(built: Distribution) -> None:
    assert built.wheel_of_sdist.name == built.wheel.name
    assert built.wheel_of_sdist.read_bytes() == built.wheel.read_bytes()


def test_a_wheel_holds_the_whole_package_and_nothing_else(built: Distribution) -> None:
    paths = (built.source / "src" / built.package).rglob("*")
    package = {
        str(path.relative_to(built.source / "src")): path.read_bytes()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert f"{built.package}/py.typed" in package
    beside = {"holdfast-nova.pth": b"import holdfast_nova.importable\n"} if built.package == "holdfast_nova" else {}
    assert built.files() == package | beside


def test_metadata_says_version_licence_and_types(built: Distribution) -> None:
    metadata = built.metadata()
    assert metadata["Version"] == holdfast.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert built.described("licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_lab_and_driver_need_holdfast_of_their_own_version(built: Distribution) -> None:
    needed = [need for need in built.metadata().get_all("Requires-Dist", []) if "extra ==" not in need]
    if built.package == "holdfast":
        assert not [need for need in needed if need.startswith(("holdfast", "click", "rich"))]
    else:
        assert needed[0] == f"holdfast=={holdfast.__version__}"


def test_what_works_out_the_version_is_the_same_in_lab_and_nova() -> None:
    assert (ROOT / "lab/hatch_build.py").read_bytes() == (ROOT / "nova/hatch_build.py").read_bytes()


def test_the_description_has_no_links_that_only_a_checkout_can_follow(built: Distribution) -> None:
    metadata = built.metadata()
    assert metadata["Description-Content-Type"] == "text/markdown"
    description = str(metadata.get_payload())
    assert description.startswith(f"# {metadata['Name'] if built.package != 'holdfast' else 'Holdfast'}\n")
    inline = [token for block in MarkdownIt().parse(description) for token in block.children or []]
    targets = [str(target) for token in inline if (target := token.attrGet("href") or token.attrGet("src"))]
    assert [target for target in targets if not target.startswith("https://")] == []


Installed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel of ``holdfast`` holds."""
    dist, unpacked = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    build(ROOT, dist, "wheel")
    (found,) = dist.glob("*.whl")
    zipfile.ZipFile(found).extractall(unpacked)
    return unpacked


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Installed:
    """Runs a Python that has the standard library, ``holdfast``, what it depends on, and the named packages."""

    def run(*arguments: str, also: list[str]) -> subprocess.CompletedProcess[str]:
        for name in ["lazy_loader", "lxml", "libvirt", *also]:
            origin = Path(str(importlib.util.find_spec(name).origin))  # type: ignore[union-attr]
            package = origin.parent if origin.name == "__init__.py" else origin
            for path in package.parent.glob(f"{package.stem}*" if name == "libvirt" else package.name):
                (tmp_path / path.name).symlink_to(path)
        environment = {**os.environ, "PYTHONPATH": f"{wheel}{os.pathsep}{tmp_path}"}
        command = [sys.executable, "-S", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


def test_the_library_needs_neither_click_nor_rich_nor_the_lab(installed: Installed) -> None:
    run = installed("-c", IMPORT_ALL, also=[])
    assert (run.returncode, run.stdout, run.stderr) == (0, "\n", "")


@pytest.mark.parametrize("also", [[], ["click"], RICH], ids=["neither", "no rich", "no click"])
def test_the_command_line_says_what_it_lacks(installed: Installed, also: list[str]) -> None:
    run = installed("-m", "holdfast", "list", also=also)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: the command line needs click and rich")
    assert run.stderr.splitlines()[1:] == [run.stderr.splitlines()[-1]]
    assert "holdfast[cli]" in run.stderr


def test_the_demo_says_that_the_lab_is_missing(installed: Installed) -> None:
    run = installed("-m", "holdfast", "demo", also=["click", *RICH])
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: the demo needs holdfast-lab, which is not installed\nhint: ")


def test_all_commands_are_there_without_the_lab(installed: Installed) -> None:
    run = installed("-m", "holdfast", "--help", also=["click", *RICH])
    assert (run.returncode, run.stderr) == (0, "")
    assert {"create", "demo", "snapshot"} <= set(run.stdout.split())
