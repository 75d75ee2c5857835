"""The demo's scenario at qemu:///session, as a user without any right."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from holdfast_lab.daemon import private_host
from holdfast_lab.ordinary_user import OrdinaryUser
from holdfast_lab.probe_image import ProbeImage
from tests.guest import session_scenario


@pytest.mark.parametrize("machine", ["q35", "i440fx"])
def test_nothing_changes_for_the_guest_of_a_user_without_any_right(probe: ProbeImage, machine: str) -> None:
    with private_host("kelp", as_packaged=True) as host:
        user = OrdinaryUser(host, in_group=False)
        for file in probe.folder.iterdir():
            user.put(f".cache/holdfast/{probe.folder.name}/{file.name}", file.read_bytes())
        played = user.run(sys.executable, str(Path(session_scenario.__file__)), machine)
        assert played.returncode == 0, played.stderr
        assert json.loads(played.stdout) == []
