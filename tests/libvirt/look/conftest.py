"""What is the same in the tests of every look: nothing depends on the version of the QEMU that is here."""

from __future__ import annotations

import pytest

from holdfast.domainxml.host import known_changes


@pytest.fixture(autouse=True)
def no_change_is_known_of_any_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told of every domain where they are known, and have tests of their own."""
    monkeypatch.setattr(known_changes, "KNOWN_CHANGES", ())
