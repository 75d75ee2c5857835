"""What the thin layer over libvirt promises."""

from __future__ import annotations

import holdfast
from holdfast.errors.domains import NO_DOMAIN
from holdfast.errors.libvirt import CANNOT_CONNECT
from holdfast.libvirtapi.connection import Connection
from tests.raising import raising


def test_unknown_domain_is_not_found(connection: Connection) -> None:
    with raising(NO_DOMAIN, name="nope"):
        connection.find_domain("nope")


def test_wrong_uri_is_no_connection() -> None:
    with raising(CANNOT_CONNECT, uri="nosuch:///system"):
        holdfast.connect("nosuch:///system")
