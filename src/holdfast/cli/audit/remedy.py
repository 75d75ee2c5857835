"""What a finding says on the page and in the table: its sentence, and for some kinds the command that ends it."""

from __future__ import annotations

import shlex

from holdfast.operations.audit.report import DomainReport, Finding, FindingKind

_COMMANDS = {FindingKind.AUTOSTART: "holdfast set {name} --no-autostart"}


def told(finding: Finding, report: DomainReport) -> str:
    """The sentence of ``finding``, with the command for the domain of ``report``, where one does it."""
    command = _COMMANDS.get(finding.kind)
    return (
        finding.sentence
        if command is None
        else f"{finding.sentence}; '{command.format(name=shlex.quote(report.name))}'"
    )
