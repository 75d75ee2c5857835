from collections.abc import Callable
from typing import Literal, overload

class DriverVolumeBlockDevice:
    """A dict, whose values have their types here."""

    save: Callable[[], None]
    @overload
    def __getitem__(self, key: Literal["connection_info"]) -> dict[str, object]: ...
    @overload
    def __getitem__(self, key: Literal["mount_device"]) -> str: ...
