"""Which secrets a document names: keys and passwords that libvirt keeps outside of it, and needs for a start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.device import describe
from holdfast.domainxml.document import Element, devices


@dataclass(frozen=True)
class NamedSecret:
    """A secret, named by its UUID, or by its type (``kind``) and usage, and the device that needs it, in words."""

    device: str
    uuid: str | None
    kind: str
    usage: str

    def __str__(self) -> str:
        return f"the secret {self.uuid or f'{self.kind} {self.usage}'} of {self.device}"


def named_secrets(domain: Element) -> Iterator[NamedSecret]:
    """Every secret that a disk or TPM of ``domain`` needs for a start."""
    for device in devices(domain):
        for node in device.iter("secret"):
            yield NamedSecret(describe(device), node.get("uuid"), node.get("type", ""), node.get("usage", ""))
        for node in device.iterfind("backend/encryption[@secret]"):
            yield NamedSecret(describe(device), node.get("secret"), "vtpm", "")
