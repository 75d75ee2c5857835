"""A guest can answer anything: what makes no sense is refused, in bounded time, and nothing reaches a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.raising import raising

from holdfast.domainxml.document import parse
from holdfast.errors import Failed
from holdfast.errors.look import SENSELESS_ANSWER
from holdfast.operations.verify.agent_answer import MOST, parse_disks, parse_interfaces, parse_system
from holdfast.operations.verify.disks import check_disks
from holdfast.operations.verify.interfaces import check_interfaces

PARSERS: list[Callable[[str], Any]] = [parse_disks, parse_interfaces, parse_system]
LIVE = parse((Path(__file__).parents[2] / "data" / "guest-agent" / "q35.xml").read_text())
PLACE = {"domain": 0, "bus": 8, "slot": 0, "function": 0}
ADDRESS = {"bus-type": "virtio", "bus": 0, "target": 0, "unit": 0, "pci-controller": PLACE}

NONSENSE = [
    "",
    "garbage",
    "{}",
    "[]",
    '{"return": 7}',
    '{"return": [7]}',
    '{"return": [[]]}',
    '{"return": 1' + "7" * 5000 + "}",
    '{"return":' + "[" * 100_000 + "]" * 100_000 + "}",
    json.dumps({"return": [{"partition": False, "address": ADDRESS}]}),
    json.dumps({"return": [{"name": 7, "hardware-address": 7, "partition": False, "address": ADDRESS}]}),
    json.dumps({"return": [{"name": "a", "hardware-address": [], "partition": False, "address": 7}]}),
    json.dumps({"return": [{"name": "a", "hardware-address": 1, "partition": False, "address": {"bus": None}}]}),
    json.dumps(
        {"return": [{"name": "a", "hardware-address": 1, "partition": False, "address": {**ADDRESS, "unit": 1e999}}]}
    ),
    json.dumps({"return": [{"name": "a", "partition": True, "address": ADDRESS}] * (MOST + 1)}),
]


@pytest.mark.parametrize("parser", [parse_disks, parse_interfaces])
@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
def test_an_answer_that_makes_no_sense_is_none(parser: Callable[[str], Any], answer: str) -> None:
    with raising(SENSELESS_ANSWER):
        parser(answer)


def disk(**said: Any) -> str:
    return json.dumps({"return": [{"name": "/dev/vda", "partition": False, "address": {**ADDRESS, **said}}]})


@pytest.mark.parametrize("number", [-1, 256, 10**30])
def test_a_place_that_no_bus_has_is_no_place(number: int) -> None:
    (found,) = parse_disks(disk(**{"pci-controller": {**PLACE, "bus": number}}))
    assert found.pci is None


def test_what_a_guest_says_cannot_move_the_cursor_or_fill_the_screen() -> None:
    (found,) = parse_disks(disk(serial="\x1b[2J\n\x9b\u202e\ud800" + "a" * 10_000))
    assert found.serial is not None
    assert found.serial.isprintable()
    assert len(found.serial) == 128
    assert parse_system('{"return": {"pretty-name": "a\\u001b]0;b\\u0007"}}').name == "a\\x1b]0;b\\x07"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
numbers = st.integers(-1, 40) | anything
disks = st.fixed_dictionaries(
    {"name": st.text() | anything, "partition": st.booleans()},
    optional={
        "address": st.fixed_dictionaries(
            {
                "pci-controller": st.fixed_dictionaries(dict.fromkeys(("domain", "bus", "slot", "function"), numbers)),
                "bus": numbers,
                "target": numbers,
                "unit": numbers,
            },
            optional={"bus-type": st.sampled_from(["virtio", "scsi", "sata", "ide"]) | anything, "serial": st.text()},
        )
    },
)
cards = st.fixed_dictionaries({"name": st.text(min_size=1)}, optional={"hardware-address": st.text() | anything})


@given(st.lists(disks) | st.lists(cards) | anything)
def test_whatever_is_answered_makes_sense_or_is_refused(returned: Any) -> None:
    text = json.dumps({"return": returned})
    for parser in PARSERS:
        try:
            found = parser(text)
        except Failed:
            continue
        if parser is parse_disks:
            assert len(check_disks(LIVE, found)[0]) == 13
        elif parser is parse_interfaces:
            assert len(check_interfaces(LIVE, found)) == 2
