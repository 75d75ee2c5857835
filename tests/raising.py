"""What a test expects to go wrong, by its condition: sentences may be worded anew, conditions stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from holdfast.errors import Condition, HoldfastError, fill


@contextmanager
def raising(*conditions: Condition[HoldfastError], **fields: object) -> Iterator[pytest.ExceptionInfo[HoldfastError]]:
    """Expect an error of one of ``conditions``, whose ``fields`` say exactly this; a pattern has to match all of it."""
    with pytest.raises(HoldfastError) as caught:
        yield caught
    error = caught.value
    assert error.code in {condition.code for condition in conditions}, f"{error.code}: {error}"
    for name, expected in fields.items():
        said = fill(f"{{{name}}}", error.fields)
        if isinstance(expected, re.Pattern):
            assert expected.fullmatch(said), f"{error.code}: {name} is {said!r}"
        else:
            assert said == fill("{text}", {"text": expected}), f"{error.code}: {name} is {said!r}"
