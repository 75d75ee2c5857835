"""Our element in <metadata>, as libvirt hands it out and takes it back."""

from __future__ import annotations

from holdfast.domainxml.metadata import Releasing, with_releasing, without_releasing

DISK = Releasing("disk", "vdb", "ua-x")
NIC = Releasing("interface", "52:54:00:00:00:01", "ua-y")
FROM_LIBVIRT = '<domain xmlns:holdfast="https://holdfast.dev/xmlns/domain/1"><other/></domain>'


def test_entry_is_recorded_once_and_removed_without_trace() -> None:
    once = with_releasing(None, DISK)
    assert with_releasing(once, DISK) == once
    assert without_releasing(once, DISK) is None


def test_other_entries_and_unknown_elements_stay() -> None:
    both = with_releasing(with_releasing(FROM_LIBVIRT, DISK), NIC)
    left = without_releasing(both, DISK)
    assert left == '<domain><other/><releasing device="interface" label="52:54:00:00:00:01" alias="ua-y"/></domain>'


def test_removing_what_is_not_there_leaves_the_text_as_it_is() -> None:
    assert without_releasing(FROM_LIBVIRT, DISK) == FROM_LIBVIRT
    assert without_releasing(None, DISK) is None
