"""What a test expects to go wrong, by its condition: sentences may be worded anew, conditions stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from holdfast.errors import Condition, HoldfastError


@contextmanager
def raising(*conditions: Condition[HoldfastError], **fields: object) -> Iterator[pytest.ExceptionInfo[HoldfastError]]:
    """Expect an error of one of ``conditions``; ``fields`` are those of its fields that matter, as they are shown."""
    with pytest.raises(HoldfastError) as caught:
        yield caught
    error = caught.value
    assert error.code in {condition.code for condition in conditions}, f"{error.code}: {error}"
    assert {name: str(error.fields[name]) for name in fields} == {name: str(each) for name, each in fields.items()}
