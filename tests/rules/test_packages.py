"""The Debian packages: what stands in them a second time is the same."""

from __future__ import annotations

import re

import holdfast
from holdfast.cli.power.resume_host import UNIT
from tests.rules.architecture import ROOT

DEBIAN = ROOT / "debian"


def test_packages_have_the_version_of_the_source() -> None:
    found = re.match(r"holdfast \(([^)]+)\)", (DEBIAN / "changelog").read_text())
    assert found is not None and found[1] == holdfast.__version__


def test_packages_bring_the_unit_that_resume_host_prints() -> None:
    unit = (DEBIAN / "holdfast.holdfast-resume-host.service").read_text()
    own = "# Not what root has installed below its home.\nEnvironment=PYTHONNOUSERSITE=1\n"  # only a package needs it
    assert unit.replace(own, "") == UNIT.format(command="/usr/bin/holdfast -c qemu:///system")
