"""What a person or a program names first: a connection, and files."""

from __future__ import annotations

import pytest

from holdfast import connect
from holdfast.operations.files import is_file


def test_connect_hands_on_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr("holdfast.operations.connect.open_connection", lambda *all: given.append(all))
    connect()
    connect("test:///default", True, 5)
    assert given == [(None, False, 60.0), ("test:///default", True, 5)]


@pytest.mark.parametrize(
    ("name", "means_a_file"),
    [("-", True), ("a/b", True), ("/", True), ("a.xml", True), ("a", False), ("--", False), ("a.xml2", False)],
)
def test_a_file_is_told_from_a_domain_by_its_name(name: str, means_a_file: bool) -> None:
    assert is_file(name) is means_a_file
