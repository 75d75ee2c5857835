"""What the thin layer over libvirt promises."""

from __future__ import annotations

import gc

import holdfast
from holdfast.errors.domains import NO_DOMAIN
from holdfast.errors.libvirt import CANNOT_CONNECT
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.domains import domain_xml
from tests.raising import raising


def test_unknown_domain_is_not_found(connection: Connection) -> None:
    with raising(NO_DOMAIN, name="nope"):
        connection.find_domain("nope")


def test_wrong_uri_is_no_connection() -> None:
    with raising(CANNOT_CONNECT, uri="nosuch:///system"):
        holdfast.connect("nosuch:///system")


def test_error_is_told_though_a_handle_is_freed_meanwhile(connection: Connection) -> None:
    """Collecting garbage, here while the binding makes its exception, frees handles and so resets libvirt's error."""
    connection.define(domain_xml("other"))
    usual = gc.get_threshold()
    gc.freeze()
    try:
        for allocations in range(1, 300):  # one of them is between the failed call and its exception
            gc.collect()
            gc.set_threshold(allocations)
            cycle: list[object] = [connection.find_domain("other")]
            cycle.append(cycle)
            del cycle
            with raising(NO_DOMAIN, name="nope"):
                connection.find_domain("nope")
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
