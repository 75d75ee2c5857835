"""An error, and a line of the log, tells nothing secret of what libvirt was given."""

from __future__ import annotations

import logging

import pytest
from tests.secretive import COMMAND_LINE, MARK

from holdfast.domainxml.document import parse
from holdfast.domainxml.secret_parts import secrets_of
from holdfast.errors import HoldfastError, LibvirtRefused
from holdfast.errors.devices import LIVE_REFUSES
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.translate import translated
from holdfast.operations.truthful_errors import concealing
from holdfast.text import HIDDEN


def refusal(reason: str) -> LibvirtRefused:
    return REFUSED(reason=reason, number=1)


def raised(error: HoldfastError, *secrets: str) -> HoldfastError:
    """What comes of ``error`` where ``secrets`` are concealed."""
    with pytest.raises(HoldfastError) as told, concealing(lambda: secrets):
        raise error
    return told.value


def test_qemus_words_are_told_but_for_what_is_secret_in_them() -> None:
    secrets = tuple(secrets_of(parse(COMMAND_LINE)))
    quoted = f"-object secret,id=hf0,data={MARK}: Parameter 'id' expects an identifier; and {MARK} alone"
    told = raised(refusal(quoted), *secrets)
    assert str(told) == f"-object {HIDDEN}: Parameter 'id' expects an identifier; and {HIDDEN} alone"
    assert isinstance(told, LibvirtRefused)
    assert (told.code, told.libvirt_code) == ("libvirt-refused", 1)


def test_the_causes_of_an_error_and_its_notes_are_told_likewise() -> None:
    error = LIVE_REFUSES(device="disk vdb", cause=refusal(f"no {MARK}"))
    error.add_note(f"note {MARK}")
    told = raised(error, MARK)
    assert MARK not in f"{told} {told.cause} {told.fields} {told.__notes__}"
    assert told.__suppress_context__, "libvirt's own words would be in the traceback"


def test_an_error_that_tells_nothing_secret_stays_what_it_is() -> None:
    error = LIVE_REFUSES(device="disk vdb", cause=refusal("no room"))
    assert raised(error, MARK) is error
    assert raised(error) is error, "there are no secrets"


@pytest.mark.parametrize("reason", ["a domain has a disk", "keyboard"])
def test_words_that_only_begin_like_a_secret_stay(reason: str) -> None:
    assert str(raised(refusal(reason), "a", "dis", "key")) == reason


def test_three_letters_can_be_a_secret_and_two_cannot() -> None:
    assert str(raised(refusal("abc, de"), "abc", "de")) == f"{HIDDEN}, de"


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it() -> None:
    for secrets in (("abc", "abc def"), ("abc def", "abc")):
        assert str(raised(refusal("no abc def"), *secrets)) == f"no {HIDDEN}"


@pytest.mark.parametrize("document", ["<a b='{}'/>", "\n  <a b='{}'/>", "<a>{}</a>", "<a\n>{}</a>"])
def test_a_log_names_the_element_that_libvirt_is_given_and_nothing_in_it(
    document: str, caplog: pytest.LogCaptureFixture
) -> None:
    @translated
    def call(connection: object, text: str) -> None:
        """Take a document."""

    with caplog.at_level(logging.DEBUG, "holdfast.libvirt"):
        call(None, document.format(MARK))
    assert MARK not in caplog.text
    assert "<a …" in caplog.text
