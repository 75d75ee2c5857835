from collections.abc import Collection
from typing import TypeVar

T = TypeVar("T")

def tpool_wrap(target: T, autowrap: Collection[type] = ()) -> T: ...
