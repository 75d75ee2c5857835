"""Where a device can be attached while the guest runs, by the architecture of the guest."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.places.pci import hotplug_places


@pytest.mark.parametrize(("arch", "first"), [("x86_64", 2), ("ppc64", 1), ("s390x", 1)])
def test_slot_1_of_pci_root_is_taken_by_the_chipset_of_a_pc_alone(arch: str, first: int) -> None:
    root = "<controller type='pci' index='0' model='pci-root'/>"
    domain = (
        f"<domain><os><type arch='{arch}'>hvm</type></os><features><acpi/></features><devices>{root}</devices></domain>"
    )
    assert hotplug_places(parse(domain))[0].slot == first
