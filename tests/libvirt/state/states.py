"""Domains with NVRAM and TPM state, and losing it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.state_files import StateKind, state_files
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DomainSpec, FindingKind
from holdfast.operations.own_state import folders_of
from tests.libvirt.domains import CONFIG, domain_xml

SPEC = DomainSpec(memory=64 << 20, firmware="uefi", tpm=True, graphics="none")
CODE, VARS = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
kinds = pytest.mark.parametrize("kind", StateKind)


def place(connection: Connection, domain: Domain, kind: StateKind) -> Path:
    """Where the domain has, or will have, its state."""
    files = state_files(parse(domain.xml(CONFIG)), folders_of(connection))
    return next(Path(file.path) for file in files if file.kind == kind)


def create(connection: Connection, name: str = "a") -> Domain:
    operations.create_domain(connection, name, SPEC)
    return connection.find_domain(name)


def started_once(connection: Connection, name: str = "a") -> Domain:
    """A domain with UEFI and a TPM that was started and is off."""
    domain = create(connection, name)
    operations.start(connection, name, paused=True)
    operations.destroy(connection, name)
    return domain


def lose(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def uefi_xml(name: str, nvram: Path | str) -> str:
    named = f"<loader readonly='yes' type='pflash'>{CODE}</loader><nvram template='{VARS}'>{nvram}</nvram></os>"
    return domain_xml(name).replace("</os>", named)


def left_open(connection: Connection, name: str = "a") -> Domain:
    """As virt-install defines it: libvirt 9.0 finds the NVRAM by the domain's name, at each start."""
    domain = connection.define(domain_xml(name).replace("<os>", "<os firmware='efi'>"))
    operations.adopt_domain(connection, name)
    operations.start(connection, name, paused=True)
    operations.destroy(connection, name)
    return domain


def found(connection: Connection, name: str = "a") -> set[FindingKind]:
    return {
        finding.kind
        for report in operations.audit_host(connection).domains
        if report.name == name
        for finding in report.findings
    }
