"""What nova-compute is told at its start, in place of a tenant in the middle of an action."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nova_judge.install import CHECKOUT, LATEST, environment
from tests.nova.in_nova import in_nova

LOAD = "import holdfast_nova.nova_virt_holdfast"
CHECK = """
import nova.conf
from oslo_log import log
from holdfast_nova import conf
from pathlib import Path
CONF = nova.conf.CONF
conf.register(CONF)
log.register_options(CONF)
CONF([], project="nova")
log.setup(CONF, "nova")
from holdfast.hostfiles import lock
from holdfast_nova.start_checks import check_before_start
lock.SHARED, lock._OF_ROOT = (Path(LOCKS) / name for name in ("shared", "root"))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of our package, whose table of Nova can be changed."""
    shutil.copytree(CHECKOUT / "nova/src/holdfast_nova", tmp_path / "ours/holdfast_nova")
    return tmp_path / "ours"


def run(package: Path, code: str, locks: Path | str = "/nowhere") -> subprocess.CompletedProcess[str]:
    paths = f"{package}{os.pathsep}{environment()['PYTHONPATH']}"
    return in_nova("-c", f"LOCKS = {str(locks)!r}\n{code}", PYTHONPATH=paths)


def rewrite(package: Path, old: str, new: str) -> None:
    table = package / "holdfast_nova/surface" / f"{LATEST}.toml"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """What the last line says of the exception that ended it; oslo.log writes it, where that is set up."""
    assert done.returncode == 1
    (sentence,) = re.findall(r"^.*nova\w*\.\w+\.(\w+: .*)$", done.stdout + done.stderr, re.MULTILINE)[-1:]
    return str(sentence)


def test_the_nova_that_the_driver_was_written_for_is_taken_without_a_word(package: Path, tmp_path: Path) -> None:
    done = run(package, f"{LOAD}\n{CHECK}check_before_start()", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(Path(tmp_path, "root").iterdir())


def test_another_release_is_refused_with_those_that_fit(package: Path) -> None:
    (package / "holdfast_nova/surface" / f"{LATEST}.toml").unlink()
    done = run(package, LOAD)
    assert refusal(done).startswith("UnfitNova: this holdfast-nova is for Nova 33, and Nova 34.")
    assert refusal(done).endswith(
        ": use the stock driver (compute_driver = libvirt.LibvirtDriver) until there is a holdfast-nova for it"
    )


def test_another_signature_is_refused(package: Path) -> None:
    rewrite(package, "(self, context, instance, network_info, share_info", "(self, context, instance, share_info")
    done = run(package, LOAD)
    assert done.returncode == 1
    assert "_hard_reboot, which the driver overrides, is (self, context, instance, network_info, " in refusal(done)


def test_nova_compute_ends_with_the_sentence_where_nova_does_not_fit(package: Path) -> None:
    rewrite(package, "(self, context, instance, network_info, share_info", "(self, context, instance, share_info")
    code = (
        CHECK.partition("from holdfast.")[0]
        + """
import holdfast_nova.importable
from nova.virt import driver
driver.load_compute_driver(None, "holdfast.HoldfastLibvirtDriver")
"""
    )
    done = run(package, code)
    assert done.returncode == 1
    assert "Unable to load the virtualization driver" in done.stdout
    assert "UnfitNova: nova.virt.libvirt.driver.LibvirtDriver._hard_reboot, which the driver overrides" in done.stdout


def test_another_source_is_a_warning_unless_strictness_is_asked_for(package: Path, tmp_path: Path) -> None:
    rewrite(package, 'sha256 = "', 'sha256 = "0')
    warned = run(package, f"{LOAD}\n{CHECK}check_before_start()", tmp_path)
    assert warned.returncode == 0
    assert "WARNING" in warned.stdout and " has another source in Nova 34." in warned.stdout
    strict = run(
        package, f"{LOAD}\n{CHECK}CONF.set_override('strict', True, 'holdfast'); check_before_start()", tmp_path
    )
    assert refusal(strict).startswith("InvalidConfiguration: [holdfast] strict is set, and nova.")


@pytest.mark.parametrize("kind", ["lxc", "parallels"])
def test_a_hypervisor_that_the_driver_is_not_for_is_refused(package: Path, tmp_path: Path, kind: str) -> None:
    done = run(
        package, f"{LOAD}\n{CHECK}CONF.set_override('virt_type', {kind!r}, 'libvirt'); check_before_start()", tmp_path
    )
    assert done.returncode == 1
    assert f"the driver is for kvm and qemu, and [libvirt] virt_type is {kind}: use the stock driver" in refusal(done)


def test_a_folder_of_locks_that_cannot_be_used_is_told(package: Path, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("no folder")
    done = run(package, f"{LOAD}\n{CHECK}check_before_start()", tmp_path)
    assert refusal(done).startswith("InvalidConfiguration: cannot lock the domain")
    assert str(tmp_path / "root") in refusal(done)
