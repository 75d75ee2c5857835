"""An element means the device that libvirt would take for it, in both documents, or none of several."""

from __future__ import annotations

import pytest

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.document import parse
from holdfast.errors import Condition, HoldfastError, devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import detach_device
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, running
from tests.raising import raising

RNG = "<rng model='virtio'>{}<backend model='random'>/dev/{}</backend></rng>"
CHANNEL = "<channel type='pty'><target type='virtio' name='x.{}'/></channel>"
TWO = RNG.format("", "random") + RNG.format("", "urandom") + CHANNEL.format(1) + CHANNEL.format(2)
USB = (
    "<controller type='usb' index='0' model='qemu-xhci'/><hostdev mode='subsystem' type='usb'>"
    "<source startupPolicy='optional'><vendor id='0x1234'/><product id='0x0001'/></source></hostdev>"
)

FOUND = {
    "an attribute that libvirt drops": (RNG.format("", "urandom").replace("<rng", "<rng colour='red'"), "rng"),
    "an element that libvirt drops": (RNG.format("<hat/>", "urandom"), "rng"),
    "another notation of a number": (USB.partition("/>")[2].replace("0x0001", "1"), "hostdev"),
    "a name that libvirt gives at each start": (
        CHANNEL.format(2).replace("<target", "<source path='/dev/pts/7'/><target").replace("'x.2'", "'x.2' state='up'"),
        "channel",
    ),
    "a part that libvirt has filled in": (CHANNEL.format(1), "channel"),
}


def places(domain: Domain, tag: str) -> set[str | None]:
    return {describe_address(device) for device in parse(domain.xml(CONFIG)).iterfind(f"devices/{tag}")}


@pytest.mark.parametrize("given", FOUND)
@pytest.mark.parametrize("is_running", [True, False])
def test_an_element_finds_its_device_although_libvirt_writes_it_otherwise(
    connection: Connection, given: str, is_running: bool
) -> None:
    text, tag = FOUND[given]
    if is_running and tag == "hostdev":
        pytest.skip("no host of a test has such a device")
    extra = TWO + (USB if tag == "hostdev" else "")
    domain = connection.define(domain_xml(extra=extra).replace("<controller type='usb' model='none'/>", ""))
    if is_running:
        domain.start(paused=True)
    promised = detach_device(connection, "a", text, dry_run=True)
    assert parse(promised.device).tag == tag
    before = places(domain, tag)
    detach_device(connection, "a", text, config_only=True)
    assert places(domain, tag) == before - {describe_address(parse(promised.device))} != before


@pytest.mark.parametrize(
    ("text", "condition", "fields"),
    [
        ("<rng model='virtio'/>", devices.FITS_SEVERAL, {"names": "rng pci 0000:03:00.0, rng pci 0000:04:00.0"}),
        ("<rng/>", devices.FITS_SEVERAL, {"names": "rng pci 0000:03:00.0, rng pci 0000:04:00.0"}),
        (RNG.format("", "hwrng"), devices.NO_DEVICE, {}),
        ("<hostdev type='usb' mode='subsystem'><source><vendor id='1'/></source></hostdev>", devices.NO_DEVICE, {}),
        (CHANNEL.format(3), devices.NO_DEVICE, {}),
        ("<sound model='ac97'/>", devices.NO_DEVICE, {}),
    ],
)
def test_an_element_that_means_no_one_device_detaches_none(
    connection: Connection, text: str, condition: Condition[HoldfastError], fields: dict[str, str]
) -> None:
    domain = running(connection, extra=TWO)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    for dry_run in (True, False):
        with raising(condition, **fields):
            detach_device(connection, "a", text, dry_run=dry_run)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before
