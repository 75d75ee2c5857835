"""The session of one operation with one domain: asked for once, looked at once, and again only after it was written.

Every operation begins with ``with changing(connection, name, needs=…) as domain`` or ``looking(connection, name)``.
What an operation needs of a domain is refused here, in one place, each with one condition and so with one exit code.
Calls to libvirt are what an operation costs: over ssh each is a round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Flag, auto
from typing import TypeVar, cast
from uuid import uuid4

from holdfast.domainxml.document import Element
from holdfast.domainxml.fact import BeingMoved, Creating
from holdfast.domainxml.metadata import fact, ours_in, with_ours
from holdfast.domainxml.namespace import URI
from holdfast.domainxml.secret_parts import secrets_of
from holdfast.errors import (
    Failed,
    HoldfastError,
    LibvirtRefused,
    NoConnection,
    NotFound,
    NotRecorded,
    PartlyDone,
    domains,
)
from holdfast.errors.libvirt import DENIED
from holdfast.errors.power import AND_NOT_RECORDED
from holdfast.hostfiles.lock import domain_lock, lock_folder
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain, DomainHandle
from holdfast.operations.config_change import ConfigChange
from holdfast.operations.documents import Documents, read_config, read_live
from holdfast.operations.truthful_errors import change_of_document, concealing, telling_what_was_done

T = TypeVar("T")


class Need(Flag):
    """What an operation needs of a domain."""

    NOTHING = 0
    CONFIG = auto()
    """A config document: it is not transient."""
    OWN_HARDWARE = auto()
    """It is not in rescue: what it has now is what it will have again."""
    WHOLE = auto()
    """Its creation, or its arrival from another host, is finished."""
    RUNNING = auto()
    """It has a QEMU, paused or not."""
    OFF = auto()
    """It has none."""


class OpenDomain(Domain):
    """A domain as one operation sees it: what was read stays until a call of the operation changes the domain.

    ``done_besides``   what the operation has changed beside the domain itself, in sentences
    ``lacks``          the error to raise in place of a result where all is done and only a record of it is missing; an
                       error that is raised later says that as well
    ``config_change``  what the operation makes of the config document, for the history
    ``takes_arriving`` True where a domain that is being moved here is taken for this host's own
    """

    def __init__(self, connection: Connection, handle: DomainHandle, *, to_change: bool) -> None:
        super().__init__(handle)
        self.connection = connection
        self._to_change = to_change
        self.done_besides: list[str] = []
        self.lacks: PartlyDone | None = None
        self.config_change = ConfigChange()
        self.takes_arriving = False
        self._known: dict[str | Definition, object] = {}
        self._first: dict[str | Definition, object] = {}
        self._is_touched = False
        self._handled: dict[str, Element] = {}

    def changed(self, *definitions: Definition) -> None:
        """Forget what was read of these documents, and of the domain's state."""
        self._is_touched = True
        if Definition.CONFIG in definitions:
            self.config_change.changed()
        # Only define and undefine make a domain persistent or transient, and neither is done to an open one.
        kept = {"persistent", *({Definition.LIVE, Definition.CONFIG} - set(definitions))}
        self._known = {key: value for key, value in self._known.items() if key in kept}

    def look_again(self) -> Documents:
        """The documents as they are now: for an operation that has waited for a guest, or for a copy."""
        self.changed(*Definition)
        return self.documents

    @property
    def documents(self) -> Documents:
        """Both documents. Not to be edited in place. (virDomainGetXMLDesc)

        In :func:`changing` they have their secrets: libvirt forgets what it is not given again.
        """
        live = self._once(Definition.LIVE, lambda: read_live(self, self._to_change))
        documents = Documents(live, self._once(Definition.CONFIG, self._read_config))
        self._handled.update({str(key): document for key, document in documents.present.items()})
        return documents

    def conceal(self, document: Element) -> None:
        """Keep errors from revealing secrets of ``document``, or of an element, that libvirt is about to be given."""
        self._handled[str(document.tag)] = document

    def secrets(self) -> Iterator[str]:
        """What no error may reveal: the secrets of the documents that were handled last."""
        for each in self._handled.values():
            yield from secrets_of(each)

    def state(self) -> str:
        """The state in virsh's words (virDomainGetState)."""
        return self._once("state", super().state)

    def _read_config(self) -> Element | None:
        return read_config(self, self._to_change) if self.is_persistent() else None

    def xml(self, definition: Definition, secure: bool = False) -> str:
        """One of the documents (virDomainGetXMLDesc); over a connection that may only read a dry run has no secrets.

        Raises READ_ONLY where libvirt gives no secrets to whom it lets change nothing, as over a socket for readers: so
        that is known before anything is changed past libvirt.
        """
        secure = secure and not (self._to_change and self.connection.readonly)
        if not self._to_change:
            return super().xml(definition, secure)
        with denied_is_read_only(self.connection, self.name):
            text = super().xml(definition, secure)
        if definition is Definition.CONFIG and secure:
            self.config_change.read(text)
        return text

    def start(self, paused: bool = False) -> None:
        """Start it (virDomainCreateWithFlags)."""
        continues = self._known.get("managed save") is True
        super().start(paused)
        if not continues:
            self.config_change.started()

    def record_change(self) -> None:
        """Record in the history what became of the config document."""
        self.config_change.record(self.connection, self.uuid, self._config_now, lambda: self.documents.live)

    def _config_now(self) -> Element | None:
        """The config document as it is; None where it is gone. It is read only where nothing read since tells."""
        if Definition.CONFIG not in self._known and (read := self.config_change.as_read()) is not None:
            return read
        return self._once(Definition.CONFIG, self._read_config)

    def is_active(self) -> bool:
        """True while a QEMU runs, paused or not; as the documents say, where they were read (virDomainIsActive)."""
        if Definition.LIVE in self._known:
            return self._known[Definition.LIVE] is not None
        return self._once("active", super().is_active)

    def is_persistent(self) -> bool:
        """True when it has a config document, as every domain that is shut off has (virDomainIsPersistent)."""
        return not self.is_active() or self._once("persistent", super().is_persistent)

    def has_managed_save(self) -> bool:
        """True when the next start would restore saved memory (virDomainHasManagedSaveImage)."""
        return self._once("managed save", super().has_managed_save)

    def snapshot_count(self) -> int:
        """How many snapshots libvirt knows of it (virDomainSnapshotNum)."""
        return self._once("snapshots", super().snapshot_count)

    def metadata(self, uri: str, definition: Definition) -> str | None:
        """The element of namespace ``uri`` in ``<metadata>`` of one of the documents; None where there is none."""
        if uri != URI:
            return super().metadata(uri, definition)
        document = self.documents.get(definition)
        return None if document is None else ours_in(document)

    def set_metadata(self, element: str | None, prefix: str, uri: str, definition: Definition) -> None:
        """Write the element of namespace ``uri`` (virDomainSetMetadata); what was read of ours follows."""
        known = dict(self._known)
        document = known.get(definition)
        try:
            super().set_metadata(element, prefix, uri, definition)
        except LibvirtRefused:
            # What it could not write, libvirt (9.0) has in memory all the same, until its daemon starts anew.
            if uri == URI and isinstance(document, Element):
                with suppress(HoldfastError):
                    super().set_metadata(ours_in(document), prefix, uri, definition)
            raise
        if uri == URI and isinstance(document, Element):
            known[definition] = with_ours(document, element)
            self._known = known

    @property
    def in_rescue(self) -> bool:
        """True while it runs as a rescue."""
        return self.documents.rescue is not None

    def targets(self, config_only: bool) -> tuple[Definition, ...]:
        """The documents that a change is for: all that the domain has, or config alone. Raises TRANSIENT."""
        if not config_only:
            return tuple(self.documents.present)
        self.refuse_unless(Need.CONFIG)
        return (Definition.CONFIG,)

    def refuse_unless(self, needs: Need) -> None:
        """Raise what is wrong where the domain is not what an operation needs: TRANSIENT, IN_RESCUE, ARRIVING,
        UNFINISHED, NOT_RUNNING, RUNNING.
        """
        if Need.OWN_HARDWARE in needs and self.in_rescue:
            raise domains.IN_RESCUE(name=self.name)
        if Need.RUNNING in needs and not self.is_active():
            raise domains.NOT_RUNNING(name=self.name)
        if Need.CONFIG in needs and not self.is_persistent():
            raise domains.TRANSIENT(name=self.name)
        if Need.OFF in needs and self.is_active():
            raise domains.RUNNING(name=self.name)
        if Need.WHOLE in needs and self.documents.config is not None:
            arriving = fact(self.documents.config, BeingMoved)
            if arriving is not None and not self.takes_arriving:
                raise domains.ARRIVING(name=self.name, host=arriving.host, since=arriving.since)
            creating = fact(self.documents.config, Creating)
            if creating is not None:
                raise domains.UNFINISHED(name=self.name, since=creating.since)

    def what_became(self) -> list[str]:
        """What the operation has left other than it was, in sentences: all that it has seen is looked at again."""
        if not self._is_touched:
            return list(self.done_besides)
        try:
            now = OpenDomain(self.connection, self._handle, to_change=self._to_change)
            return [*self.done_besides, *self._differences(now)]
        except NotFound:
            return [*self.done_besides, "it is gone"]

    def _differences(self, now: OpenDomain) -> Iterator[str]:
        first = self._first
        if "managed save" in first and first["managed save"] != now.has_managed_save():
            yield "it has a managed-save image" if now.has_managed_save() else "its managed-save image is gone"
        if "snapshots" in first and first["snapshots"] != now.snapshot_count():
            yield f"it has {now.snapshot_count()} of its snapshots"
        if "state" in first and first["state"] != now.state():
            yield f"it is {now.state()}"
        elif Definition.LIVE in first and (first[Definition.LIVE] is not None) != now.is_active():
            yield "it runs" if now.is_active() else "it is off"
        for definition in Definition:
            before, after = first.get(definition), now.documents.get(definition)
            if isinstance(before, Element) and after is not None:
                yield from change_of_document(str(definition), before, after)

    def _once(self, key: str | Definition, ask: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = ask()
            self._first.setdefault(key, self._known[key])
        return cast(T, self._known[key])


def looking(connection: Connection, name: str, *, needs: Need = Need.NOTHING) -> OpenDomain:
    """The domain of this name or UUID, to be looked at. Raises NO_DOMAIN, and what ``refuse_unless`` raises."""
    domain = _open(connection, name)
    domain.refuse_unless(needs)
    return domain


def _open(connection: Connection, name: str, *, to_change: bool = False) -> OpenDomain:
    return connection.find(name, lambda handle: OpenDomain(connection, handle, to_change=to_change))


def refuse_read_only(connection: Connection, name: str, *, dry_run: bool = False) -> None:
    """Raise READ_ONLY over a connection that may not change the domain ``name``, or make it; not in a ``dry_run``."""
    if connection.readonly and not dry_run:
        raise domains.READ_ONLY(name=name, uri=connection.uri)


@contextmanager
def denied_is_read_only(connection: Connection, name: str) -> Iterator[None]:
    """Let DENIED be READ_ONLY where the domain ``name`` is to be changed or made: the socket is one for readers."""
    try:
        yield
    except Failed as error:
        if error.code != DENIED.code:
            raise
        raise domains.READ_ONLY(name=name, uri=connection.uri) from error


@contextmanager
def changing(
    connection: Connection, name: str, *, needs: Need = Need.NOTHING, dry_run: bool = False
) -> Iterator[OpenDomain]:
    """The domain of this name or UUID, to be changed under its lock, or in a ``dry_run`` to be looked at under it.

    Raises NO_DOMAIN, READ_ONLY over a connection that may not change it, LOCKED where another command of Holdfast does
    not let go of it in time (``connection.lock_timeout``), and what :meth:`OpenDomain.refuse_unless` raises. No error
    that leaves the operation tells a secret of the domain's documents, and none says that nothing was changed where
    that is not so (:mod:`.truthful_errors`).
    """
    domain = _open(connection, name, to_change=True)
    refuse_read_only(connection, domain.name, dry_run=dry_run)
    with locked(domain, dry_run=dry_run):
        try:
            with telling_truly(domain):
                domain.refuse_unless(needs)
                yield domain
        except HoldfastError as error:
            if (whole := with_missing_record(error, domain.lacks)) is error:
                raise
            raise whole from error
        if domain.lacks is not None:
            raise domain.lacks


def with_missing_record(error: HoldfastError, lacks: PartlyDone | None) -> HoldfastError:
    """``error``, and what ``lacks`` says of a missing record; ``error`` itself where libvirt cannot be reached."""
    if not isinstance(lacks, NotRecorded) or isinstance(error, NoConnection):
        return error
    name, missing = lacks.fields["name"], lacks.fields["missing"]
    return AND_NOT_RECORDED(name=name, missing=missing, cause=error, why=lacks.cause)


@contextmanager
def locked(domain: OpenDomain, *, dry_run: bool = False) -> Iterator[None]:
    """Hold the lock of ``domain``, and record in the end what was done; for what goes on after :func:`changing`.

    Raises LOCKED, and what else :func:`holdfast.hostfiles.lock.domain_lock` raises.
    """
    with domain_lock(domain.uuid, domain.name, domain.connection.lock_timeout):
        try:
            yield
        finally:
            if not dry_run:
                domain.record_change()


@contextmanager
def telling_truly(domain: OpenDomain) -> Iterator[None]:
    """What is raised within tells no secret, and the truth of what was changed: also where the lock is let go of."""
    with concealing(domain.secrets), telling_what_was_done(domain.name, domain.what_became):
        yield


def check_locks() -> str:
    """The folder in which this user locks domains. Raises CANNOT_LOCK, LOCK_FOLDER or LOCK_FILE where that fails."""
    with domain_lock(str(uuid4()), "of an instance"):
        return str(lock_folder().path)
