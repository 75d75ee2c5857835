"""What a test expects to go wrong, by its condition: sentences may be worded anew, conditions stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from holdfast.errors import Condition, HoldfastError, fill


@contextmanager
def raising(*conditions: Condition[HoldfastError], **fields: object) -> Iterator[pytest.ExceptionInfo[HoldfastError]]:
    """Expect an error of one of ``conditions``, whose ``fields`` say this, or this among other things."""
    with pytest.raises(HoldfastError) as caught:
        yield caught
    error = caught.value
    assert error.code in {condition.code for condition in conditions}, f"{error.code}: {error}"
    for name, text in fields.items():
        assert fill("{text}", {"text": text}) in fill(f"{{{name}}}", error.fields), f"{error.code}: {error}"
