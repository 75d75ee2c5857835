"""What is noted in a history of its last push to each remote: when it was, how it ended, and what is there since.

So ``history check`` can tell it without a network. Whoever writes the history can write this, too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from holdfast.history.repository import Repository
from holdfast.hostfiles.history_folder import last_pushes, note_pushes


@dataclass(frozen=True, kw_only=True)
class PushNote:
    """The last push to a remote.

    ``time``     when it ended, in ISO 8601
    ``failure``  why it did not do all; "" where it did
    ``tips``     the domain → the last commit of its line that the remote is known to have
    ``claims``   the domain → what the remote said of who has it (:mod:`.claims`), and is no news
    """

    time: str
    failure: str = ""
    tips: dict[str, str] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)


def push_notes(repository: Repository) -> dict[str, PushNote]:
    """The remote, without a password → the last push to it; none where what is noted cannot be read."""
    try:
        return {name: PushNote(**note) for name, note in json.loads(last_pushes(repository.folder) or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def note_push(repository: Repository, remote: str, note: PushNote) -> None:
    """Note the last push to ``remote``. Raises what is wrong with the history."""
    with repository.writing():
        notes = {**push_notes(repository), remote: note}
        note_pushes(repository.folder, json.dumps({name: asdict(each) for name, each in notes.items()}))
