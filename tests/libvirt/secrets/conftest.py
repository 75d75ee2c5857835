"""Fixtures of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.libvirt.secrets.web_server import web_server


@pytest.fixture(scope="module")
def web_port() -> Iterator[int]:
    """The port of a server with the image of the web disk."""
    with web_server() as port:
        yield port
