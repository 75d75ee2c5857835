"""What OpenStack Nova writes about an instance into the ``<metadata>`` of its domain. It is only read here."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from holdfast.domainxml.document import Element, remove_children
from holdfast.text import printable

URI = "http://openstack.org/xmlns/libvirt/nova/1.1"
_NAMES = {"nova": URI}
_LONGEST = 64
"""How many characters of a name are shown; Nova takes 255."""


@dataclass(frozen=True)
class NovaInstance:
    """A Nova instance, as the metadata of its domain describes it. Its id is the UUID of the domain.

    ``name`` is what its user calls it. The fields are as tenants chose them; ``str()`` is fit for a terminal.
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


@dataclass(frozen=True)
class NovaRequest:
    """What Nova last generated a domain for, all as text.

    ``flavor``, ``vcpus``, ``memory``  the flavor's name and size, memory in MiB
    ``extra_specs``                    those of the flavor; None where Nova did not record them (before 32)
    ``image``                          the image's id
    ``properties``, ``disk_format``    those of the image; None likewise
    ``kernel``, ``ramdisk``            the files that the domain boots; None where it boots a disk
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
    """A copy of an element of ``<metadata>`` without the moment at which Nova generated it: that alone is no change."""
    copied = copy.deepcopy(metadata)
    remove_children(copied, f"{{{URI}}}creationTime")
    return copied


def recorded_request(domain: Element) -> NovaRequest | None:
    """What Nova generated ``domain`` for; None for a domain that Nova did not make."""
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
