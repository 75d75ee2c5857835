"""The cloud-init seed of a new domain: where it lies, and its making."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath

from holdfast.errors import Refused
from holdfast.hostfiles import cloud_init, new_image
from holdfast.libvirtapi.connection import Connection

DEFAULT_FOLDER = "/var/lib/libvirt/images"


@dataclass(frozen=True)
class PlannedSeed:
    """A seed to be made at ``path``, with everything that goes into it."""

    path: str
    user_data: bytes
    instance_id: str
    hostname: str

    def make(self, undo: ExitStack) -> None:
        """Make it; ``undo`` then removes it again. Raises Refused when its place is taken, Failed without xorriso."""
        new_image.reserve(self.path)
        undo.callback(new_image.remove, self.path)
        cloud_init.write_seed(self.path, self.user_data, instance_id=self.instance_id, hostname=self.hostname)


def plan_seed(
    connection: Connection, user_data: str, *, name: str, uuid: str, beside: Iterable[str | None]
) -> PlannedSeed:
    """Read the file ``user_data`` and choose NAME-seed.iso as the place: beside the first image that is a file.

    The domain's UUID is the instance id. Raises NotFound, UsageError, Refused and Failed; nothing is made.
    """
    if not connection.is_local:
        raise Refused(
            f"a cloud-init seed can be made only on the libvirt's own host, and {connection.uri} is elsewhere",
            "run 'holdfast create' there",
        )
    data = cloud_init.read_user_data(user_data)
    files = (PurePosixPath(path) for path in beside if path is not None and not path.startswith("/dev/"))
    folder = next((str(path.parent) for path in files), DEFAULT_FOLDER)
    path = f"{folder}/{name}-seed.iso"
    new_image.refuse_existing(path)
    return PlannedSeed(path, data, uuid, name)
