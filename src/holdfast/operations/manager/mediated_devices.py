"""Mediated devices of the host (vGPUs): a domain gets others at the same addresses, because it has lost its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.elements.hostdev import set_mediated_devices
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.session import changing


def replace_mediated_devices(connection: Connection, name: str, others: Mapping[str, str]) -> tuple[Change, ...]:
    """Let the config document of the domain ``name`` have other mediated devices; ``others`` is old UUID → new UUID.

    Returns what the guest sees of it at its next start. Raises what :func:`holdfast.operations.session.changing` and
    the proved edit raise. (virDomainDefineXMLFlags by the proved edit)
    """
    with changing(connection, name) as domain:
        edit = plan_edit(domain, partial(set_mediated_devices, others=others), _is_another_device)
        if not edit.is_empty:
            apply_edit(domain, edit)
    return edit.changes


def _is_another_device(change: Change) -> bool:
    return change.kind is ChangeKind.REPLACED and change.where == "devices/hostdev"
