"""Which number the guest gives to each PCI bus: as measured with SeaBIOS and OVMF (QEMU 7.2)."""

from __future__ import annotations

from holdfast.domainxml.document import parse
from holdfast.domainxml.places.guest_buses import guest_buses


def buses(*controllers: tuple[int, str, int, int, int], arch: str = "x86_64") -> dict[int, int]:
    """Of a document with these: index, model, and bus, slot and function they sit at."""
    found = "".join(
        f"<controller type='pci' index='{index}' model='{model}'><target busNr='200'/>"
        f"<address type='pci' domain='0x0000' bus='{bus}' slot='{slot}' function='{function}'/></controller>"
        for index, model, bus, slot, function in controllers
    )
    root = "<controller type='pci' index='0' model='pcie-root'/>"
    return guest_buses(
        parse(f"<domain><os><type arch='{arch}'>hvm</type></os><devices>{root}{found}</devices></domain>")
    )


def test_ports_in_the_order_of_their_addresses_have_libvirts_numbers() -> None:
    port = "pcie-root-port"
    assert buses((1, port, 0, 1, 0), (2, port, 0, 1, 1), (3, port, 0, 2, 0)) == {0: 0, 1: 1, 2: 2, 3: 3}


def test_the_guest_counts_by_slot_and_function_and_depth_first() -> None:
    assert buses(
        *((index, "pcie-root-port", 0, 3, index - 20) for index in (20, 21, 22)),
        (26, "pcie-root-port", 0, 0x10, 0),
        (27, "pcie-root-port", 0, 0x08, 0),
        (28, "pcie-switch-upstream-port", 20, 0, 0),
        (30, "pcie-switch-downstream-port", 28, 0, 0),
        (29, "pcie-switch-downstream-port", 28, 1, 0),
        (31, "pcie-to-pci-bridge", 21, 0, 0),
        (32, "pci-bridge", 31, 3, 0),
    ) == {0: 0, 20: 1, 28: 2, 30: 3, 29: 4, 21: 5, 31: 6, 32: 7, 22: 8, 27: 9, 26: 10}


def test_below_an_expander_the_guest_counts_from_its_own_number() -> None:
    assert buses((1, "pcie-expander-bus", 0, 1, 0), (2, "pcie-root-port", 1, 0, 0), (3, "pcie-root-port", 0, 2, 0)) == {
        0: 0,
        1: 200,
        2: 201,
        3: 1,
    }


def test_what_was_not_measured_is_left_out() -> None:
    assert buses((1, "pcie-root-port", 0, 1, 0), arch="aarch64") == {}
    assert buses((1, "pci-expander-bus", 0, 1, 0), (2, "pci-bridge", 1, 0, 0)) == {0: 0}


def test_bridges_that_sit_on_each_other_are_counted_once() -> None:
    bridge = "pci-bridge"
    assert buses((1, bridge, 0, 1, 0), (2, bridge, 1, 1, 0), (1, bridge, 2, 1, 0)) == {0: 0, 1: 1, 2: 2}
