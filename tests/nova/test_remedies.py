"""What Holdfast refuses comes out as an error of Nova's, with words for an operator of Nova."""

from __future__ import annotations

import pytest

from holdfast.errors import Condition, HoldfastError
from holdfast.errors.domains import NO_DOMAIN, TRANSIENT
from holdfast.errors.firmware import STATE_GONE
from holdfast.errors.hosts import CPU_NOT_GIVEN
from holdfast.errors.libvirt import REFUSED
from holdfast.errors.power import RESCUE_INTERRUPTED, RESCUE_NOT_STARTED
from holdfast_nova.connection import HardwareNotKept, in_nova_terms

KEPT = 255
"""How many bytes Nova keeps of a fault (nova.compute.utils.exception_to_dict, 34.0.0)."""

ANEW = "'openstack server reboot --hard' makes it anew"


GONE = STATE_GONE(name="i-1", lost=["its NVRAM /a"], kinds=["nvram"])
FRESH = "on its host put it back, or 'holdfast adopt i-1' with --fresh-nvram or --fresh-tpm; then repeat this"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NO_DOMAIN(name="i-1", uri="qemu:///system"), f"there is no domain 'i-1' ({ANEW})"),
        (TRANSIENT(name="i-1"), f"{TRANSIENT(name='i-1')} ({TRANSIENT.remedy})"),
        (RESCUE_INTERRUPTED(name="i-1"), str(RESCUE_INTERRUPTED(name="i-1"))),
        (GONE, f"'i-1' has lost its nvram state since its last start ({FRESH})"),
    ],
    ids=["words of its own", "the neutral ones", "none", "the way out of a lost state"],
)
def test_an_error_says_what_an_operator_can_do(error: HoldfastError, reason: str) -> None:
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise error
    assert str(caught.value) == reason


def test_nova_keeps_the_whole_fault_of_an_instance_whose_state_is_lost() -> None:
    error = STATE_GONE(name="instance-0000002a", lost=["its NVRAM /a", "its TPM state /b"], kinds=["nvram", "tpm"])
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise error
    assert str(caught.value).startswith("'instance-0000002a' has lost its nvram, tpm state since its last start (")
    assert len(str(caught.value)) <= KEPT


def test_of_what_is_more_than_nova_keeps_the_remedy_is_kept() -> None:
    long = CPU_NOT_GIVEN(name="i-1", lacks=f"lacks CPU features: {', '.join(f'ä{number}' for number in range(100))}")
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise long
    told = str(caught.value)
    assert "ä0, ä1" in told
    assert "… (" in told
    assert told.endswith("then repeat this)")
    assert KEPT - 1 <= len(told.encode()) <= KEPT


def test_what_an_error_says_of_the_host_is_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    refused = REFUSED(reason="internal error: /dev/pts/7 of process 7 on compute-3")
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise RESCUE_NOT_STARTED(name="i-1", cause=refused)
    begin = "the domain 'i-1' was switched off, but its rescue does not start: the compute host refuses it"
    assert str(caught.value).startswith(f"{begin}: the log of nova-compute says why (libvirt-refused)")
    assert refused.message in caplog.text


def test_an_error_without_a_remedy_has_that_of_its_cause() -> None:
    outer = Condition("x", HoldfastError, "{name!r} failed: {cause}")
    with pytest.raises(HardwareNotKept) as caught, in_nova_terms():
        raise outer(name="i-1", cause=NO_DOMAIN(name="i-1", uri="qemu:///system"))
    assert str(caught.value).endswith(f"({ANEW})")
