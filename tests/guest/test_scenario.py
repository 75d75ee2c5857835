"""The scenario that ``holdfast demo`` plays, with its control: regeneration loses what Holdfast keeps."""

from __future__ import annotations

import json

import pytest

from tests.libvirt.commands import run


@pytest.mark.parametrize("machine", ["q35", "i440fx"])
def test_demo_sees_nothing_change_under_holdfast_and_much_under_regeneration(machine: str) -> None:
    result = run("", "demo", "--machine", machine, "-o", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["holdfast"]["changes"] == []
    changes = {change["name"]: change for change in told["regenerated"]["changes"]}
    assert told["regenerated"]["guest_visible_changes"] == len(changes)
    volume, config = changes["disk volume 2"], changes["disk config drive"]
    assert (volume["before"][:3], volume["after"][:3]) == ("vdc", "vdb")
    assert (config["before"][:3], config["after"][:3]) == ("vdb", "vdc")
    assert {"disk root", "interface 2", "balloon"} <= set(changes)
    assert [told["step"] for told in told["holdfast"]["inventories"]][-2:] == ["hard reboot", "shutdown, start"]
