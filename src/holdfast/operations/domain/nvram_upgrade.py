"""What the upgrades of a guest's NVRAM have in common: a new file beside the old one, and the way back.

The new file is written first, whole, and the document that names it is defined then: that one step is the upgrade. The
old file stays as it was. A command that is killed before leaves a file that no domain has, which the audit names and
the next attempt replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypedDict

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.firmware import (
    Flash,
    firmware_as_text,
    flash_of,
    nvram_format,
    nvram_of,
    set_firmware_from,
    set_nvram,
)
from holdfast.domainxml.fact import KeptNvram
from holdfast.domainxml.host.state_files import StateKind, upgraded_nvram
from holdfast.domainxml.metadata import add_facts, drop_facts, facts
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.errors import HoldfastError
from holdfast.errors import firmware as errors
from holdfast.hostfiles.firmware.nvram_file import read_nvram, remove_nvram, write_nvram
from holdfast.hostfiles.firmware.virt_firmware import Nvram, nvram_from
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.documents import read_config
from holdfast.operations.domain.adopt import now
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import left_upgraded, refuse_lost_state, refuse_state_of_others
from holdfast.operations.proved_edit import apply_edit, ask_of_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing


@dataclass(frozen=True, kw_only=True)
class NvramUpgrade(Result):
    """An upgrade of a guest's firmware or of its certificates, or one that was taken back.

    ``upgrade``            "firmware" or "certificates"
    ``before``, ``after``  the NVRAM; the same where there was nothing to do
    ``entries``            the boot entries in it, by their titles
    ``keys``               which of the Secure Boot variables it has: "PK", "KEK", "db", "dbx"
    ``added``              the certificates that came
    ``kept``               the NVRAM of before, which stays; None where there was none yet, or it is in use again
    ``since``              of one that is taken back: when the upgrade was made, so how old its NVRAM is
    ``lost``               of one that is taken back: the variables that the guest has written since
    """

    upgrade: str
    before: str
    after: str
    entries: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    kept: str | None = None
    since: str | None = None
    lost: tuple[str, ...] = ()


class VariableNames(TypedDict):
    """What a result says of the variables in an NVRAM."""

    entries: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class OpenedNvram:
    """A domain that is shut off, with the firmware that its document names, and its NVRAM.

    ``content`` is None where there is no NVRAM yet: the domain was never started.
    """

    domain: OpenDomain
    config: Element
    flash: Flash
    path: str
    content: bytes | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known before."""
        return (RECOVERY_KEY,) if has_tpm(self.config) else ()


RECOVERY_KEY = (
    "a disk that the guest sealed with its TPM (BitLocker, LUKS) asks for its recovery key at the next start: have it "
    "at hand, or suspend BitLocker in the guest beforehand"
)


@contextmanager
def opened_nvram(connection: Connection, name: str, *, dry_run: bool) -> Iterator[OpenedNvram]:
    """The domain ``name`` with its NVRAM, for an upgrade, while it is shut off.

    Raises TRANSIENT, IN_RESCUE, RUNNING, UNFINISHED, MANAGED_SAVE, FLASH_ELSEWHERE, NO_FLASH, STATE_GONE for an NVRAM
    that is lost, and UNREADABLE_BY_THIS_USER.
    """
    needs = Need.OWN_HARDWARE | Need.CONFIG | Need.OFF | Need.WHOLE
    with changing(connection, name, needs=needs, dry_run=dry_run) as domain:
        refuse_with_managed_save(domain, "its memory belongs to the firmware of today")
        if not connection.is_local:
            raise errors.FLASH_ELSEWHERE()
        config = read_config(domain, secure=True)
        flash, path = flash_of(config), nvram_of(config)
        if flash is None or path is None:
            raise errors.NO_FLASH(name=domain.name)
        refuse_lost_state(connection, domain.name, config, [StateKind.TPM])
        yield OpenedNvram(domain, config, flash, path, read_nvram(path))


def has_tpm(config: Element) -> bool:
    """True where the guest can have sealed something with a TPM."""
    return config.find("devices/tpm") is not None


def replace_nvram(
    opened: OpenedNvram,
    upgrade: str,
    nvram: Nvram | None,
    touch: Callable[[Element], None],
    *,
    accept: bool,
    dry_run: bool,
) -> NvramUpgrade:
    """Give the domain this ``nvram``, in a new file; ``touch`` changes what else is to be changed.

    Raises WANTS_RECOVERY_KEY without ``accept``, STATE_IN_USE, and what the proved edit does; then nothing was changed.
    """
    domain, connection = opened.domain, opened.domain.connection
    kept = KeptNvram(upgrade, now(), "" if opened.content is None else opened.path, firmware_as_text(opened.config))

    def edit(document: Element) -> None:
        touch(document)
        set_nvram(document, upgraded_nvram(document, upgrade))
        add_facts(document, kept)

    planned = plan_edit(domain, edit, _of_firmware)
    new = nvram_of(planned.after) or ""
    refuse_state_of_others(connection, planned.after)
    result = NvramUpgrade(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=tuple(visible(planned.changes)),
        notes=opened.notes,
        upgrade=upgrade,
        before=opened.path,
        after=new,
        **_in(nvram),
        kept=kept.path or None,
    )
    if dry_run:
        return ask_of_edit(domain, planned).noted_in(result)
    if has_tpm(opened.config) and not accept:
        raise errors.WANTS_RECOVERY_KEY(name=domain.name)
    if nvram is not None:
        write_nvram(new, nvram.content, nvram_format(planned.after), opened.path)
        domain.done_besides.append(f"{new} was made")
    try:
        apply_edit(domain, planned)
    except HoldfastError:
        with suppress(HoldfastError):  # where libvirt is gone, nobody knows whether it took the document
            if nvram_of(read_config(domain)) != new:
                remove_nvram(new)
                domain.done_besides.clear()
        raise
    return result


def nothing_to_upgrade(opened: OpenedNvram, upgrade: str, dry_run: bool, nvram: Nvram | None = None) -> NvramUpgrade:
    """An upgrade that has nothing to do."""
    return NvramUpgrade(
        name=opened.domain.name,
        uuid=opened.domain.uuid,
        dry_run=dry_run,
        upgrade=upgrade,
        before=opened.path,
        after=opened.path,
        **_in(nvram),
    )


def _in(nvram: Nvram | None) -> VariableNames:
    if nvram is None:
        return VariableNames(entries=(), keys=())
    return VariableNames(
        entries=nvram.entries, keys=tuple(key for key in ("PK", "KEK", "db", "dbx") if key in nvram.names)
    )


def take_back_upgrade(
    connection: Connection,
    name: str,
    upgrade: str,
    again: Callable[[Nvram], Nvram],
    *,
    accept: bool,
    dry_run: bool,
) -> NvramUpgrade:
    """Let the domain have the NVRAM and the firmware of before its ``upgrade``; the newer NVRAM is removed.

    ``again`` makes of the NVRAM of before what the upgrade has made of it, to tell what the guest has written since.

    Raises NOTHING_TO_TAKE_BACK, NOT_THE_LAST_UPGRADE, SNAPSHOT_HAS_NVRAM, KEPT_NVRAM_GONE, and without ``accept``
    LOSES_VARIABLES and WANTS_RECOVERY_KEY, besides what :func:`opened_nvram` and the proved edit do; then nothing was
    changed.
    """
    with opened_nvram(connection, name, dry_run=dry_run) as opened:
        domain = opened.domain
        kept = facts(opened.config, KeptNvram)
        if not kept or kept[-1].path == opened.path:
            return _already_back(opened, upgrade, dry_run)
        last = kept[-1]
        if last.upgrade != upgrade:
            if upgrade not in [each.upgrade for each in kept]:
                raise errors.NOTHING_TO_TAKE_BACK(name=domain.name, upgrade=upgrade)
            raise errors.NOT_THE_LAST_UPGRADE(name=domain.name, upgrade=upgrade, last=last.upgrade)
        _refuse_needed_by_snapshot(opened)
        lost = _written_since(opened, last, again)

        def edit(document: Element) -> None:
            set_firmware_from(document, last.os)
            drop_facts(document, KeptNvram)
            add_facts(document, *kept[:-1])

        planned = plan_edit(domain, edit, _of_firmware)
        result = NvramUpgrade(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            changes=tuple(visible(planned.changes)),
            notes=opened.notes,
            upgrade=upgrade,
            before=opened.path,
            after=nvram_of(planned.after) or "",
            since=last.since,
            lost=lost,
        )
        if dry_run:
            return ask_of_edit(domain, planned).noted_in(result)
        if lost and not accept:
            raise errors.LOSES_VARIABLES(name=domain.name, since=last.since, lost=lost)
        if has_tpm(opened.config) and not accept:
            raise errors.WANTS_RECOVERY_KEY(name=domain.name)
        apply_edit(domain, planned)
        for path in left_upgraded(planned.after):
            remove_nvram(path)
    return result


def _refuse_needed_by_snapshot(opened: OpenedNvram) -> None:
    for snapshot in snapshots(opened.domain) if opened.domain.snapshot_count() else ():
        stored = read_snapshot(snapshot.xml())
        if opened.path in (nvram_of(each) for each in (stored.live, stored.config) if each is not None):
            raise errors.SNAPSHOT_HAS_NVRAM(name=opened.domain.name, snapshot=snapshot.name, path=opened.path)


def _already_back(opened: OpenedNvram, upgrade: str, dry_run: bool) -> NvramUpgrade:
    """End a taking back that was cut off: nothing is left to do but to remove a file."""
    left = left_upgraded(opened.config)
    if not left:
        raise errors.NOTHING_TO_TAKE_BACK(name=opened.domain.name, upgrade=upgrade)
    for path in left if not dry_run else ():
        remove_nvram(path)
    note = f"left by a command that was interrupted, and {'to be ' if dry_run else ''}removed: {', '.join(left)}"
    return replace(nothing_to_upgrade(opened, upgrade, dry_run), notes=(note,))


def _written_since(opened: OpenedNvram, kept: KeptNvram, again: Callable[[Nvram], Nvram]) -> tuple[str, ...]:
    """The names of the variables that the guest has written since the NVRAM was replaced."""
    before = read_nvram(kept.path) if kept.path else None
    if before is None and kept.path:
        raise errors.KEPT_NVRAM_GONE(since=kept.since, path=kept.path)
    if opened.content is None:
        return ()
    then = frozenset() if before is None else again(nvram_from(before)).variables
    return tuple(sorted({each.name for each in then ^ nvram_from(opened.content).variables}))


def _of_firmware(change: Change) -> bool:
    return change.where.startswith(("os/loader", "os/firmware", "os@firmware"))
