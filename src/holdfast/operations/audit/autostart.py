"""What libvirt starts with the host by itself, although another host may have it by now: it cannot ask, and we can.

``resume-host`` asks the remote of the history; libvirt's autostart is earlier, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Adopted
from holdfast.domainxml.metadata import fact
from holdfast.errors import HoldfastError, NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.domain_list import autostarted
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.operations.disks.shared_storage import image_on_shared_storage
from holdfast.operations.history_place import claims_of


def started_unasked(connection: Connection) -> Iterator[tuple[str, Finding]]:
    """The name of each domain that has autostart and an image on shared storage, with the finding.

    None where no remote is set, or nobody can tell. (virConnectListAllDomains, virDomainGetXMLDesc)
    """
    with suppress(HoldfastError):
        if claims_of(connection) is None:
            return
        for uuid in sorted(autostarted(connection)):
            with suppress(NotFound):
                domain = connection.find_domain(uuid)
                config = parse(domain.xml(Definition.CONFIG))
                if (image := image_on_shared_storage(connection, config)) is not None:
                    is_adopted = fact(config, Adopted) is not None
                    yield domain.name, Finding(FindingKind.AUTOSTART, _sentence(image, is_adopted))


def _sentence(image: str, is_adopted: bool) -> str:
    adopted = "" if is_adopted else ", once it is adopted"
    return (
        f"libvirt starts it with the host, whoever has it by then, and {image} is on shared storage: without autostart "
        f"it is resumed{adopted}, after the remote was asked"
    )
