"""What a domain can be called."""

from __future__ import annotations

import pytest
from tests.raising import raising

from holdfast.errors.creation import BAD_NAME, LONG_NAME, NAME_OF_DOCUMENT
from holdfast.operations.domain_name import check_name


@pytest.mark.parametrize("name", ["a", "a b", "a-", "a.b", ".a", "ä", "live", "@", "a@LIVE", "a@live@b", "ä" * 120])
def test_a_name_can_be_anything_that_a_file_and_a_person_can_tell_from_others(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", " b", "b ", "b/c", "-b", "-", "b\n", "b\tc"])
def test_a_name_is_no_option_and_no_path_and_has_nothing_that_is_not_seen(name: str) -> None:
    with raising(BAD_NAME) as refused:
        check_name(name)
    assert refused.value.fields == {"name": name}


def test_the_longest_name_is_told_to_whoever_gives_a_longer_one() -> None:
    with raising(LONG_NAME) as refused:
        check_name("ä" * 121)
    assert refused.value.fields == {"start": "ä" * 20, "bytes": 242, "most": 240}


@pytest.mark.parametrize(("name", "stem", "definition"), [("b@live", "b", "live"), ("b@c@config", "b@c", "config")])
def test_a_name_that_means_a_document_is_refused(name: str, stem: str, definition: str) -> None:
    with raising(NAME_OF_DOCUMENT) as refused:
        check_name(name)
    assert refused.value.fields == {"name": name, "stem": stem, "definition": definition}
