"""The cold half of a migration: a domain that is shut off goes to another host with all that it has.

The other host's libvirt is given the recorded document by a define, and not by libvirt's own offline migration
(VIR_MIGRATE_OFFLINE): that carries neither images nor state, and undefines the source in the same call that defines the
domain there (9.0 to 12.8), before anybody has seen what became of it. Here the copy there is marked as arriving, is
proved, and only then is the source undefined, and the mark taken away. So whatever is killed, one of the two is marked,
or gone; and repeating the command finishes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, child, parse, same, serialize
from holdfast.domainxml.elements.disk import is_shared, source_of, stated_format
from holdfast.domainxml.fact import BeingMoved, Creating, DiskRecord, SeenState
from holdfast.domainxml.host.outlook import differs
from holdfast.domainxml.make.new_domain import unfinished_domain
from holdfast.domainxml.metadata import add_facts, drop_facts, facts, set_facts
from holdfast.errors import HoldfastError, NoConnection, NotFound
from holdfast.errors.changes import HAS_SNAPSHOTS
from holdfast.errors.hosts import CHANGED_WHILE_MOVED, FOR_RUNNING_GUEST, MOVE_UNSETTLED, SEES_OTHER_THERE
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.disks.image_size import image_size
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.host.capabilities import host_uuid
from holdfast.operations.hosts.alone_here import alone_here
from holdfast.operations.hosts.cold.arriving_copy import arriving_from, has_all_files, mark_of, release, take_back
from holdfast.operations.hosts.cold.carried import CarriedImage, carry_image, check_image, images_to_carry
from holdfast.operations.hosts.cold.carried_state import CarriedState, lost_here, state_to_carry
from holdfast.operations.hosts.destination import DestinationHost
from holdfast.operations.hosts.images_there import ComingImages
from holdfast.operations.hosts.live.cut_off import told
from holdfast.operations.hosts.moving import Migrated, MoveOptions, MoveProgress, MoveStatus
from holdfast.operations.hosts.take_along import start_with_host, take_along
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import state_gone
from holdfast.operations.session import Need, OpenDomain


@dataclass(frozen=True)
class _Plan:
    """What is moved: the document as it is to be there, the images with their bytes, and the state.

    Over a connection that may only read, a dry run knows neither bytes nor state.
    """

    document: Element
    images: dict[CarriedImage, int]
    state: list[CarriedState]
    mark: BeingMoved
    notes: tuple[str, ...]


def move_cold(
    domain: OpenDomain,
    destination: DestinationHost,
    options: MoveOptions,
    progress: MoveProgress | None,
    dry_run: bool,
) -> Migrated:
    """Move ``domain``, which is shut off and locked.

    Raises FOR_RUNNING_GUEST, MANAGED_SAVE, HAS_SNAPSHOTS, RESTS_ON_OTHER, NO_FOLDER_THERE, STATE_STAYS, STATE_GONE,
    STATE_IN_USE, EXISTS and NOT_AS_COPIED, after which nothing has changed; MOVE_CUT_OFF and MOVE_UNSETTLED.
    (virDomainDefineXMLFlags, virStorageVolUpload)
    """
    _refuse_for_running(domain.name, options)
    connection, target = domain.connection, destination.connection
    config = _whole_config(domain)
    here = host_uuid(connection)
    left = arriving_from(target, domain.uuid, here)
    if left is not None and (lost := lost_here(connection, config, left.state.split(","))):
        if not has_all_files(target, domain.uuid):
            raise state_gone(domain.name, lost, {})
        notes = [] if dry_run else _finish(domain, target, left)
        return _moved(domain, connection, target, notes, dry_run=dry_run)
    if left is not None and not dry_run:
        take_back(target, domain.uuid)
    if left is None or not dry_run:
        destination.refuse_taken(config)
    disks = list(_own_disks(config)) if options.copy_storage else []
    coming = _coming(connection, config, disks)
    coming = replace(coming, alone=tuple(alone_here(connection, config, target, coming.copied, destination.maps)))
    judgement = destination.judge(config, None, coming)
    destination.refuse(domain.name, judgement)
    plan = _plan(domain, target, disks, judgement.config, here, options)
    notes = [*plan.notes]
    if not dry_run:
        notes += _move(domain, target, plan, progress)
    return Migrated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        source=connection.uri,
        destination=target.uri,
        live=False,
        taken=judgement.taken,
        copied=tuple(image.target for image in plan.images),
        outlooks=tuple(each for each in judgement.outlooks if differs([each])),
        notes=tuple(notes),
    )


def settle_move(connection: Connection, name: str, target: Connection) -> Migrated | None:
    """Finish the move of the domain ``name``, which ``connection`` has no more; None where it is not arriving there."""
    with suppress(NotFound):
        there = target.find_domain(name)
        if arriving_from(target, there.uuid, host_uuid(connection)) is not None:
            return _moved(there, connection, target, _settle(connection, there, target))
    return None


def _moved(
    domain: Domain, connection: Connection, target: Connection, notes: Iterable[str], *, dry_run: bool = False
) -> Migrated:
    """A move that was cut off, and of which only the end was to be done."""
    return Migrated(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        source=connection.uri,
        destination=target.uri,
        live=False,
        notes=tuple(notes),
    )


def _refuse_for_running(name: str, options: MoveOptions) -> None:
    """Raise FOR_RUNNING_GUEST where something is asked for that only the move of a running guest has."""
    given = {each.name for each in fields(options) if getattr(options, each.name) != each.default}
    if others := sorted(given - {"copy_storage", "fresh"}):
        raise FOR_RUNNING_GUEST(name=name, options=[each.replace("_", "-") for each in others])


def _whole_config(domain: OpenDomain) -> Element:
    """Its config document, which is all that there is to move beside its files."""
    refuse_with_managed_save(domain, "that memory would be left behind")
    if domain.snapshot_count():
        raise HAS_SNAPSHOTS(name=domain.name)
    config = domain.documents.config
    assert config is not None  # the caller needs it
    return config


def _coming(connection: Connection, config: Element, disks: Iterable[Element]) -> ComingImages:
    sizes, copied = dict(_sizes(connection, config)), [label(disk) for disk in disks]
    return ComingImages(sizes=sizes, copied=copied, in_pools=False)


def _plan(
    domain: OpenDomain, target: Connection, disks: Iterable[Element], there: Element, here: str, options: MoveOptions
) -> _Plan:
    connection, config = domain.connection, _whole_config(domain)
    if looks := not (connection.readonly or target.readonly):
        images = {image: check_image(connection, target, image) for image in images_to_carry(disks, there)}
    else:
        images = dict.fromkeys(images_to_carry(disks, there), 0)
    state = list(state_to_carry(connection, target, config, there, options.fresh)) if looks else []
    mark = BeingMoved(
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        host=connection.host_name(),
        uuid=here,
        copied=",".join(image.target for image in images),
        state=",".join(each.there.kind for each in state),
        autostart="yes" if domain.autostart() else "",
    )
    notes = [f"its image {image.here} stays where it was, too" for image in images]
    notes += [] if looks else ["what is at the places of its files there was not looked at: a connection may only read"]
    return _Plan(there, images, state, mark, tuple(notes))


def _own_disks(config: Element) -> Iterator[Element]:
    """The disks whose images are files or volumes of the source, which the guest alone writes to."""
    for disk in config.iterfind("devices/disk"):
        if source_of(disk) and not is_shared(disk) and disk.get("type") != "network":
            yield disk


def _sizes(connection: Connection, config: Element) -> Iterator[tuple[str, int]]:
    """Target → bytes of each image, as far as they can be seen."""
    for disk in config.iterfind("devices/disk"):
        with suppress(HoldfastError):
            if (size := image_size(connection, disk, None)) is not None:
                yield label(disk), size


def _move(domain: OpenDomain, target: Connection, plan: _Plan, progress: MoveProgress | None) -> list[str]:
    """Move it; returns what is left to do, in sentences."""
    with _cut_off_told(domain, target), ExitStack() as undo:
        undo.callback(_undo, domain, target, plan.mark)
        _make(domain, target, plan, progress)
        _leave(domain, target, plan.mark)
        undo.pop_all()
    return _settled(domain, target)


def _finish(domain: OpenDomain, target: Connection, mark: BeingMoved) -> list[str]:
    """The end of a move that was cut off while libvirt undefined the source."""
    with _cut_off_told(domain, target):
        _leave(domain, target, mark)
    return _settled(domain, target)


@contextmanager
def _cut_off_told(domain: OpenDomain, target: Connection) -> Iterator[None]:
    """Where a connection is lost meanwhile, the error says what stands at either end."""
    try:
        yield
    except NoConnection as error:
        raise told(domain, target, error) or error from error


def _settled(domain: OpenDomain, target: Connection) -> list[str]:
    try:
        return _settle(domain.connection, target.find_domain(domain.uuid), target)
    except HoldfastError as error:
        raise MOVE_UNSETTLED(name=domain.name, uri=target.uri, cause=error) from error


def _undo(domain: OpenDomain, target: Connection, mark: BeingMoved) -> None:
    """Remove the copy there, as long as the source is known to have the domain still, with all that was carried."""
    config = domain.documents.config
    with suppress(NoConnection):
        if _is_there(domain) and config is not None and not lost_here(domain.connection, config, mark.state.split(",")):
            take_back(target, domain.uuid)


def _is_there(domain: OpenDomain) -> bool:
    try:
        domain.connection.find_domain(domain.uuid)
    except NotFound:
        return False
    return True


def _make(domain: OpenDomain, target: Connection, plan: _Plan, progress: MoveProgress | None) -> None:
    """Make the copy there: without devices until all files are there, then whole."""
    document = copy.deepcopy(plan.document)
    seen = [_seen_there(each, plan) for each in facts(document, SeenState)]
    drop_facts(document, SeenState)
    add_facts(document, *seen, plan.mark)
    domain.conceal(document)
    target.define(serialize(_skeleton(document, plan)))
    for each in plan.state:
        each.make(target)
    done, total = 0, sum(plan.images.values())
    for image, size in plan.images.items():

        def draw(now: int, _of: int, before: int = done) -> None:
            if progress is not None:
                progress(MoveStatus(remaining=max(0, total - before - now), total=total))

        carry_image(domain.connection, target, image, draw)
        done += size
    target.define(serialize(document))


def _prove(domain: OpenDomain, target: Connection) -> None:
    """Raise SEES_OTHER_THERE where the guest would find something else there than it has here."""
    made = parse(target.find_domain(domain.uuid).xml(Definition.CONFIG, secure=True))
    before = domain.documents.config
    assert before is not None
    refuse_unasked(domain.name, compare_documents(before, made), condition=SEES_OTHER_THERE)


def _seen_there(seen: SeenState, plan: _Plan) -> SeenState:
    """The record of a file that was there at the last start, where that is another file now."""
    path = next((each.there.path for each in plan.state if each.there.kind == seen.kind), seen.path)
    return replace(seen, path=path, born="")


def _skeleton(document: Element, plan: _Plan) -> Element:
    """What stands for the domain there while files are made, and names them: undefining it takes the state along."""
    skeleton = unfinished_domain(document, with_nvram=True)
    for tpm in document.iterfind("devices/tpm"):
        child(skeleton, "devices").append(copy.deepcopy(tpm))
    disks = {label(disk): disk for disk in document.iterfind("devices/disk")}
    making = [
        DiskRecord(image.target, place=source_of(disks[image.target]) or "", format=stated_format(disks[image.target]))
        for image in plan.images
    ]
    set_facts(skeleton, plan.mark, Creating(plan.mark.since), *making)
    return skeleton


def _leave(domain: OpenDomain, target: Connection, mark: BeingMoved) -> None:
    """Undefine the source, once the copy there is proved; what of its state was taken along goes with it."""
    _prove(domain, target)
    moved = mark.state.split(",")
    before, now = domain.documents.config, domain.look_again().config
    domain.refuse_unless(Need.OFF)
    if before is None or now is None or not same(before, now):
        raise CHANGED_WHILE_MOVED(name=domain.name)
    try:
        domain.undefine(keep_nvram="nvram" not in moved, keep_tpm="tpm" not in moved)
    finally:
        with suppress(NoConnection):
            if not _is_there(domain):
                domain.config_change.is_gone, domain.config_change.end = True, EntryKind.MOVED


def _settle(connection: Connection, there: Domain, target: Connection) -> list[str]:
    """Let the domain, which ``connection`` has no more, be the other host's; returns what is left to do."""
    mark, notes = mark_of(there), list[str]()
    if mark is not None and mark.autostart == "yes":
        notes += start_with_host(there)
    release(there)  # the last that a repeated move would do
    return [*notes, *take_along(connection, target, there.uuid)]
