"""A domain's documents as libvirt has them: without their secrets, or for whoever asks with them."""

from __future__ import annotations

from holdfast.domainxml.secret_parts import shown_text
from holdfast.errors.history import PAST_DOCUMENT
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.past.revision import past_domain
from holdfast.operations.session import Need, looking


def document(connection: Connection, name: str, *, live: bool = False, secure: bool = False) -> str:
    """The config document of a domain; with ``live`` the one its guest runs with. (virDomainGetXMLDesc)

    "NAME@REV" is the config document that it had then (:mod:`holdfast.operations.past.revision`).
    ``secure`` gives it as libvirt has it, with its secrets, which a read-only connection may not see: what is to be
    defined again needs them. Without, it is fit to be shown. Raises NO_DOMAIN, TRANSIENT where there is no config, and
    NOT_RUNNING where there is no live; PAST_DOCUMENT for a past one with ``live`` or ``secure``.
    """
    past = past_domain(connection, name)
    if past is not None:
        if live or secure:
            raise PAST_DOCUMENT(name=name)
        return past.kept.document
    domain = looking(connection, name, needs=Need.RUNNING if live else Need.CONFIG)
    text = domain.xml(Definition.LIVE if live else Definition.CONFIG, secure)
    return text if secure else shown_text(text)
