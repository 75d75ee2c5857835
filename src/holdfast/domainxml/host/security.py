"""``<secmodel>`` of the host's capabilities: what labels the files of guests, and as whom QEMU runs."""

from __future__ import annotations

import re

from holdfast.domainxml.document import parse

_LABEL = re.compile(r"\+?(\d+):")


def qemu_user(capabilities: str) -> int | None:
    """The id of the user that QEMU runs as by default; None where libvirt gives images to nobody.

    ``capabilities`` is the host's document (virConnectGetCapabilities), with labels such as "+64055:+109".
    """
    labels = parse(capabilities, "capabilities").iterfind("host/secmodel[model='dac']/baselabel")
    found = (_LABEL.match(label.text or "") for label in labels)
    return next((int(each[1]) for each in found if each is not None), None)


def security_models(capabilities: str) -> list[str]:
    """The models by which libvirt labels what it gives to a QEMU: "dac", "apparmor" …"""
    models = parse(capabilities, "capabilities").iterfind("host/secmodel/model")
    return [model.text for model in models if model.text not in (None, "none")]
