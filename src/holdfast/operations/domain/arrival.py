"""What a recorded document needs when it arrives, besides itself: its secrets, and the state that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from holdfast.domainxml.document import Element
from holdfast.domainxml.fact import SeenState
from holdfast.domainxml.host.state_files import StateFile
from holdfast.domainxml.metadata import add_facts, drop_facts, facts
from holdfast.domainxml.past.secret_places import SecretPlace, close_console
from holdfast.errors.history import HAD_NO_SECRETS, NO_SUCH_SECRET, SECRETS_NEEDED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import newest_copies
from holdfast.operations.own_state import look, refuse_state_of_others, state_gone
from holdfast.operations.past.revision import PastDomain


def places_given(past: PastDomain, secrets: Mapping[str, str]) -> tuple[str, ...]:
    """Where the document of ``past`` lacks its secrets. Raises NO_SUCH_SECRET, HAD_NO_SECRETS for other ``secrets``."""
    places, revision = past.kept.omitted, past.entry.short_id
    for place in secrets:
        if not places:
            raise HAD_NO_SECRETS(name=past.entry.name, revision=revision)
        if place not in places:
            raise NO_SUCH_SECRET(name=past.entry.name, revision=revision, place=place, places=places)
    return places


def do_without(name: str, document: Element, lacking: Iterable[SecretPlace]) -> list[str]:
    """Let ``document``, in place, do without the secrets that it is ``lacking``; returns what comes of it, in words.

    A graphical console that lacks its password listens nowhere. Raises SECRETS_NEEDED for what nobody can do without.
    """
    there = [place for place in lacking if place.is_in(document)]
    if needed := [place.path for place in there if not (place.is_console or place.is_of_metadata)]:
        raise SECRETS_NEEDED(name=name, places=needed)
    notes = []
    for place in there:
        if place.is_console:
            close_console(place.node)
            kind = place.node.get("type")
            notes.append(
                f"the {kind} console listens nowhere: its password is not kept, and was not given ({place.path})"
            )
        else:
            notes.append(f"not kept, and left out of the metadata: {place.path}")
    return notes


def look_at_state(
    connection: Connection,
    document: Element,
    files: Iterable[StateFile],
    fresh: Collection[str],
    *,
    has_copies: bool = False,
) -> list[str]:
    """Look at the state that comes with ``document``; returns what is to be known of it, in sentences.

    What may be made anew, because its kind is in ``fresh``, is taken out of the records. With ``has_copies`` any copies
    of the domain's state belong to this document: what is on record and has one can be brought back before the next
    start, which is refused until then. Raises STATE_GONE for what else is not there, and STATE_IN_USE.
    """
    wanted = list(files)
    if wanted:
        refuse_state_of_others(connection, document)
    seen = {file: look(connection, file).there for file in wanted}
    lost = [file for file in wanted if seen[file] is False and file.kind not in fresh]
    recorded = {each.kind for each in facts(document, SeenState)}
    copies = newest_copies(connection, document.findtext("uuid") or "") if lost and has_copies else {}
    if any(file.kind not in copies or file.kind not in recorded for file in lost):
        raise state_gone(document.findtext("name") or "", lost, copies)
    anew = [file for file in wanted if seen[file] is False and file not in lost]
    records = [each for each in facts(document, SeenState) if each.kind not in {file.kind for file in anew}]
    if anew:
        drop_facts(document, SeenState)
        add_facts(document, *records)
    return [
        *(f"its {file} is not there: bring back its copy {copies[file.kind].told}, before it starts" for file in lost),
        *(f"its {file} is made anew at its next start" for file in anew),
        *(f"whether its {file} is there cannot be seen from here" for file in wanted if seen[file] is None),
    ]
