"""What Holdfast refuses comes out as an error of Nova's, with words for an operator of Nova."""

from __future__ import annotations

from uuid import UUID

import pytest

from holdfast.errors import Condition, HoldfastError
from holdfast.errors.domains import NO_DOMAIN, TRANSIENT
from holdfast.errors.firmware import STATE_GONE
from holdfast.errors.power import RESCUE_INTERRUPTED
from holdfast_nova.connection import HardwareNotKept, in_nova_terms

KEPT = 255
"""How many bytes Nova keeps of a fault (nova.compute.utils.exception_to_dict, 34.0.0)."""

ANEW = "'openstack server reboot --hard' makes it anew"


GONE = STATE_GONE(name="i-1", lost=["its NVRAM /a"], kinds=["nvram"])
FRESH = "on its host put it back, or 'holdfast adopt i-1' with --fresh-nvram or --fresh-tpm; then repeat this"


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


@pytest.mark.parametrize(
    "place", ["NVRAM /var/lib/libvirt/qemu/nvram/{0}_VARS.fd", "TPM state /var/lib/libvirt/swtpm/{0}"]
)
def test_nova_keeps_the_whole_fault_of_an_instance_whose_state_is_lost(place: str) -> None:
    lost = f"its {place.format(UUID(int=0))}"
    error = STATE_GONE(name="instance-0000002a", lost=[lost], kinds=["tpm"])
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise error
    assert str(caught.value).startswith(error.message)
    assert len(str(caught.value)) <= KEPT


def test_of_what_is_more_than_nova_keeps_the_remedy_is_kept() -> None:
    lost = [f"its NVRAM /{'ä' * 100}", f"its TPM state /{'b' * 100}"]
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise STATE_GONE(name="i-1", lost=lost, kinds=["nvram", "tpm"])
    told = str(caught.value)
    assert (told.startswith("'i-1' has lost its NVRAM /"), told.endswith(f"… ({FRESH})")) == (True, True)
    assert KEPT - 1 <= len(told.encode()) <= KEPT


def test_an_error_without_a_remedy_has_that_of_its_cause() -> None:
    outer = Condition("x", HoldfastError, "{name!r} failed: {cause}")
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise outer(name="i-1", cause=NO_DOMAIN(name="i-1", uri="qemu:///system"))
    assert str(caught.value).endswith(f"({ANEW})")
