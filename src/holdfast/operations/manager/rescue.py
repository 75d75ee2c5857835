"""A rescue that a manager describes with a document of its own: started on the domain's own hardware."""

from __future__ import annotations

from functools import partial

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.manager.rescue_template import is_rescue_document, rescue_medium, take_rescue_sources
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.power.rescue import Rescued, rescue


def rescue_from_template(connection: Connection, name: str, template: str) -> Rescued:
    """Start the domain ``name``, which is shut off, as the rescue that ``template`` describes.

    Of ``template`` come the medium, the images that stand in for those of the domain's own disks (a config drive) and
    a kernel; the hardware is the domain's own, as for :func:`holdfast.operations.power.rescue`, whose errors it raises.
    """
    wanted = parse(template, "domain")
    medium = serialize(rescue_medium(wanted))
    adapt = partial(take_rescue_sources, template=wanted)
    return rescue(connection, name, medium, trust_format=True, adapt=adapt)


def is_rescue_by_define(connection: Connection, name: str) -> bool:
    """True where the config document of ``name`` is that of a rescue: stock Nova defines one over the domain's."""
    return is_rescue_document(parse(connection.find_domain(name).xml(Definition.CONFIG)))
