"""What Holdfast refuses comes out as an error of Nova's, with words for an operator of Nova."""

from __future__ import annotations

import pytest

from holdfast.errors import Condition, HoldfastError
from holdfast.errors.domains import NO_DOMAIN, TRANSIENT
from holdfast.errors.power import RESCUE_INTERRUPTED
from holdfast.errors.state import STATE_GONE
from holdfast_nova.connection import HardwareNotKept, in_nova_terms

ANEW = "'openstack server reboot --hard' makes it anew"


GONE = STATE_GONE(name="i-1", lost=["its NVRAM /a is gone"], kinds=["nvram", "tpm"])
FRESH = (
    "put it back on the compute host; or let a new one be made there: 'holdfast start i-1' with --fresh-nvram or "
    "--fresh-tpm"
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NO_DOMAIN(name="i-1", uri="qemu:///system"), f"there is no domain 'i-1' at qemu:///system ({ANEW})"),
        (TRANSIENT(name="i-1"), f"{TRANSIENT(name='i-1')} ({TRANSIENT.remedy})"),
        (RESCUE_INTERRUPTED(name="i-1"), str(RESCUE_INTERRUPTED(name="i-1"))),
        (GONE, f"{GONE} ({FRESH})"),
    ],
    ids=["words of its own", "the neutral ones", "none", "the way out of a lost state"],
)
def test_an_error_says_what_an_operator_can_do(error: HoldfastError, reason: str) -> None:
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise error
    assert str(caught.value) == reason


def test_an_error_without_a_remedy_has_that_of_its_cause() -> None:
    outer = Condition("x", HoldfastError, "{name!r} failed: {cause}")
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise outer(name="i-1", cause=NO_DOMAIN(name="i-1", uri="qemu:///system"))
    assert str(caught.value).endswith(f"({ANEW})")
