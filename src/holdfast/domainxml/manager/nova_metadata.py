"""What OpenStack Nova writes of its instance into a domain's ``<metadata>`` (namespace of Nova ≥ 2013, read only)."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from holdfast.domainxml.document import Element, parse
from holdfast.errors import InvalidDocument
from holdfast.text import printable

URI = "http://openstack.org/xmlns/libvirt/nova/1.1"
_NAMES = {"nova": URI}
_LONGEST = 64
"""Characters of a name that are shown: Nova takes 255."""


@dataclass(frozen=True)
class NovaInstance:
    """One instance as its domain tells of it: ``name`` is what its user calls it. Its id is the UUID of the domain.

    The texts are as tenants chose them; as a string it is fit for a terminal.
    """

    name: str
    flavor: str | None = None
    project: str | None = None

    def __str__(self) -> str:
        more = ", ".join(
            f"{word} {_shown(text)}" for word, text in (("flavor", self.flavor), ("project", self.project)) if text
        )
        return f"{self.shown_name} ({more})" if more else self.shown_name

    @property
    def shown_name(self) -> str:
        """``name`` as fit for a terminal: in one line, and cut where it is very long."""
        return _shown(self.name)


def nova_instance(domain: Element) -> NovaInstance | None:
    """The instance that ``domain`` is; None for a domain that Nova did not make."""
    return _instance(domain.find("metadata/nova:instance", _NAMES))


def nova_instance_in(document: str) -> NovaInstance | None:
    """As :func:`nova_instance`, of a document as libvirt writes it: no more of it is parsed than is needed."""
    if URI not in document:
        return None
    begin, end = document.find("<metadata>"), document.find("</metadata>")
    try:
        metadata = parse(document[begin : end + len("</metadata>")], "metadata")
    except InvalidDocument:  # what looked like its end was not
        return nova_instance(parse(document))
    return _instance(metadata.find("nova:instance", _NAMES))


@dataclass(frozen=True)
class NovaRequest:
    """What Nova last made a domain for: the flavor's name, vCPUs, memory in MiB, extra specs; image and its properties.

    All as text. ``extra_specs``, ``properties`` and ``disk_format``, the image's, are None where Nova did not record
    them (before 32). ``kernel`` and ``ramdisk`` are the files that the domain boots, None where it boots a disk.
    """

    flavor: str
    vcpus: str
    memory: str
    extra_specs: dict[str, str] | None
    image: str
    properties: dict[str, str] | None
    disk_format: str | None = None
    kernel: str | None = None
    ramdisk: str | None = None


def without_moment(metadata: Element) -> Element:
    """A copy of one element of ``<metadata>`` without the moment at which Nova generated it: that alone is no news."""
    copied = copy.deepcopy(metadata)
    for moment in copied.findall("nova:creationTime", _NAMES):
        copied.remove(moment)
    return copied


def recorded_request(domain: Element) -> NovaRequest | None:
    """What Nova made ``domain`` for; None for a domain that it did not make."""
    instance = domain.find("metadata/nova:instance", _NAMES)
    flavor = None if instance is None else instance.find("nova:flavor", _NAMES)
    if instance is None or flavor is None:
        return None
    image = instance.find("nova:image", _NAMES)
    return NovaRequest(
        flavor.get("name", ""),
        flavor.findtext("nova:vcpus", "", _NAMES),
        flavor.findtext("nova:memory", "", _NAMES),
        _named(flavor.find("nova:extraSpecs", _NAMES), "nova:extraSpec"),
        "" if image is None else image.get("uuid", ""),
        None if image is None else _named(image.find("nova:properties", _NAMES), "nova:property"),
        None if image is None else image.findtext("nova:diskFormat", None, _NAMES),
        domain.findtext("os/kernel"),
        domain.findtext("os/initrd"),
    )


def _named(parent: Element | None, tag: str) -> dict[str, str] | None:
    if parent is None:
        return None
    return {each.get("name", ""): each.text or "" for each in parent.iterfind(tag, _NAMES)}


def _instance(node: Element | None) -> NovaInstance | None:
    if node is None:
        return None
    flavor = node.find("nova:flavor", _NAMES)
    return NovaInstance(
        node.findtext("nova:name", "", _NAMES).strip(),
        None if flavor is None else flavor.get("name"),
        node.findtext("nova:owner/nova:project", "", _NAMES).strip() or None,
    )


def _shown(text: str) -> str:
    shown = printable(text[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
