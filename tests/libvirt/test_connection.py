"""What the thin layer over libvirt promises."""

from __future__ import annotations

import pytest

import holdfast
from holdfast.errors import NoConnection, NotFound
from holdfast.libvirtapi.connection import Connection


def test_unknown_domain_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFound, match="there is no domain 'nope'"):
        connection.find_domain("nope")


def test_wrong_uri_is_no_connection() -> None:
    with pytest.raises(NoConnection, match="nosuch:///system"):
        holdfast.connect("nosuch:///system")
