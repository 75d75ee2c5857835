"""A domain to change the settings of, and how to see that nothing else of it has changed."""

from __future__ import annotations

from holdfast.domainxml.document import Element, parse, same
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from tests.libvirt.domains import CONFIG, LIVE, domain_xml

MIB = 1024 * 1024
MAC = "52:54:00:00:00:01"
INTERFACE = f"<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"


def document(top: str = "<vcpu current='2'>4</vcpu>", memory: int = 256, extra: str = "", **options: str) -> str:
    """A domain of 256 MiB with two of four vCPUs online, and ``top`` beside them."""
    text = domain_xml(extra=INTERFACE + extra, **options)  # type: ignore[arg-type]
    return text.replace("<memory unit='MiB'>64", f"<memory unit='MiB'>{memory}").replace("<os>", f"{top}<os>")


def started(connection: Connection, *args: str, **kwargs: str) -> Domain:
    domain = connection.define(document(*args, **kwargs))  # type: ignore[arg-type]
    domain.start(paused=True)
    return domain


def config(domain: Domain) -> Element:
    return parse(domain.xml(CONFIG, secure=True))


def live(domain: Domain) -> Element:
    return parse(domain.xml(LIVE, secure=True))


def only(before: Element, after: Element, *changes: tuple[str, str | None]) -> bool:
    """True when ``after`` is ``before`` with these (path, value) and nothing else: in C14N form.

    A path ends in "@attribute" or names an element; None takes it away.
    """
    for path, value in changes:
        where, _, attribute = path.partition("@")
        element = before.find(where)
        if element is None:
            parent, _, tag = where.rpartition("/")
            found = after.find(where)
            assert found is not None, where
            element = found.makeelement(tag)
            position = list(after.find(parent) if parent else after).index(found)  # type: ignore[arg-type]
            (before.find(parent) if parent else before).insert(position, element)  # type: ignore[union-attr]
        if value is None and not attribute:
            element.getparent().remove(element)  # type: ignore[union-attr]
        elif value is None:
            del element.attrib[attribute]
        elif attribute:
            element.set(attribute, value)
        else:
            element.text = value
    return same(before, after)
