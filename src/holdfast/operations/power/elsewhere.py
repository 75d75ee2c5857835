"""Whether another host has a domain by now, as the remote of the history says.

Asked before domains start again, before one comes back that was deleted, and before what goes with one is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from holdfast.domainxml.document import Element
from holdfast.errors import HoldfastError
from holdfast.errors.power import HOST_MAY_BE_ELSEWHERE
from holdfast.history.claims import NOBODY, Claim
from holdfast.hostfiles.images.shared import is_shared_storage
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.shared_storage import image_on_shared_storage
from holdfast.operations.history_place import claims_of, history_place


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """What is known of who has the domains of a host.

    ``here``        the host's name
    ``remote``      who says it; "" where nobody is asked
    ``claims``      by the domains' UUIDs
    ``unanswered``  why it is not known; None where it is
    """

    here: str = ""
    remote: str = ""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    unanswered: HoldfastError | None = None

    def told_of(self, uuid: str) -> str:
        """Which other host has the domain, in words; "" where none is known to."""
        claim = self.claims.get(uuid)
        if claim is None or claim.host in (NOBODY, self.here):
            return ""
        return f"by {self.remote} {claim.host} has it, since {claim.since}"

    def why_it_waits(self, connection: Connection, name: str, config: Element) -> HoldfastError | None:
        """HOST_MAY_BE_ELSEWHERE for a domain that another host may have, where nobody can be asked; else None."""
        if self.unanswered is None or (image := image_on_shared_storage(connection, config)) is None:
            return None
        return HOST_MAY_BE_ELSEWHERE(name=name, image=image, cause=self.unanswered)

    def why_it_stays(self, uuid: str, path: str) -> str:
        """Why a file of the domain must not go with it from here, in words; "" where nothing is known against it."""
        if told := self.told_of(uuid):
            return told
        if self.unanswered is None or (path.startswith("/") and not is_shared_storage(path)):
            return ""
        return f"another host may have the domain, and cannot be asked: {self.unanswered.message}"


def whereabouts(connection: Connection, uuids: Collection[str]) -> Whereabouts:
    """Ask the remote of the history, where one is set, who has these domains."""
    if not uuids:
        return Whereabouts()
    try:
        claims = claims_of(connection)
        if claims is None:
            return Whereabouts()
        return Whereabouts(here=history_place(connection).host, remote=claims.name, claims=claims.read(uuids))
    except HoldfastError as error:
        return Whereabouts(unanswered=error)
