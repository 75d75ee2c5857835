"""What reverting to a snapshot would change of the hardware: for the revert itself, for list, and for the audit."""

from __future__ import annotations

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.snapshots.stored import StoredSnapshot
from holdfast.operations.documents import Documents


def changes_of_revert(documents: Documents, stored: StoredSnapshot) -> list[Change]:
    """How the snapshot's hardware differs from today's ``documents``, as the guest sees it, now or at its next start.

    Empty also for a snapshot that does not say what hardware it was made with (libvirt before 0.9.5).
    """
    running = documents.live if documents.live is not None else documents.config
    config = documents.config if documents.config is not None else documents.live
    then = stored.live if stored.live is not None else stored.config
    found: dict[str, Change] = {}
    for today, old in ((running, then), (config, stored.config)):
        if today is not None and old is not None:
            found.update((str(change), change) for change in visible(compare_documents(today, old)))
    return list(found.values())
