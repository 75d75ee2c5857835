"""One journey of ``scripts/chain``: live to the newest host, and a cold start there."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.chain.journeys import Kind, Step, grounds


def test_what_a_guest_sees_on_a_newer_host_is_what_was_foretold_word_for_word(sid: Path) -> None:
    """The guest beside it, whose manager writes a fresh document, has its devices elsewhere."""
    with grounds({"9.0": Path("/"), "12.8": sid}) as ground:
        live, cold = ground.travel("9.0", (Step(Kind.LIVE, "12.8"), Step(Kind.COLD, "12.8")))
    assert (live.moved, live.changed, live.control) == ((), (), ((), ()))
    assert (cold.moved, cold.compared.not_foretold, cold.compared.not_seen) == ((), (), ())
    assert cold.is_right and {change.part for change in cold.changed} >= {"acpi", "smbios", "pci"}
    assert not cold.compared.not_in_plan
    assert any(told.startswith(("disk root: ", "interface: ")) for told in cold.control[0])
