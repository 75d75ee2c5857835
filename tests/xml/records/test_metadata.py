"""Our element in <metadata>, as libvirt hands it out and takes it back."""

from __future__ import annotations

from holdfast.domainxml.document import canonical, parse, same
from holdfast.domainxml.fact import Adopted, Releasing, Started
from holdfast.domainxml.metadata import facts, facts_in, ours_in, with_fact, with_ours, without_fact

DISK = Releasing("disk", "vdb", "ua-x")
NIC = Releasing("interface", "52:54:00:00:00:01", "ua-y")
FROM_LIBVIRT = '<domain xmlns:holdfast="https://holdfast.dev/xmlns/domain/1"><other/></domain>'


def test_fact_is_recorded_once_and_removed_without_trace() -> None:
    once = with_fact(None, DISK)
    assert with_fact(once, DISK) == once
    assert without_fact(once, DISK) is None


def test_other_facts_and_unknown_elements_stay() -> None:
    both = with_fact(with_fact(FROM_LIBVIRT, DISK), NIC)
    left = without_fact(both, DISK)
    assert left is not None
    kept = '<domain><other/><releasing device="interface" label="52:54:00:00:00:01" alias="ua-y"/></domain>'
    assert canonical(parse(left)) == canonical(parse(kept))


def test_removing_what_is_not_there_leaves_the_text_as_it_is() -> None:
    assert without_fact(FROM_LIBVIRT, DISK) == FROM_LIBVIRT
    assert without_fact(None, DISK) is None


def test_there_is_one_last_start_and_one_adoption() -> None:
    text = with_fact(with_fact(None, Started("<cpu/>", "abc")), Started("<cpu mode='custom'/>", "def"))
    text = with_fact(with_fact(text, Adopted("2026-01-01", "virsh", "")), Adopted("2026-01-02", "virsh", "me"))
    assert text.count("<started") == text.count("<adopted") == 1
    assert "def" in text
    assert "2026-01-02" in text


EDITED = """<domain><metadata><holdfast:domain xmlns:x="urn:x" x:y="z"
 xmlns:holdfast="https://holdfast.dev/xmlns/domain/1">
<!-- looked at --><?pi it?><holdfast:releasing device="disk" label="vdb" alias="ua-x"/><x:own a="1">t</x:own>
<holdfast:later><holdfast:part/></holdfast:later></holdfast:domain></metadata></domain>"""


def test_what_others_put_into_our_element_stays() -> None:
    domain = parse(EDITED)
    ours = ours_in(domain)
    assert ours is not None
    assert facts_in(ours, Releasing) == facts(domain, Releasing) == [DISK]
    assert same(with_ours(domain, ours), domain)
    more = with_fact(ours, NIC)
    for kept in ("looked at", "<?pi it?>", "urn:x", "<later>"):
        assert kept in more
    assert without_fact(more, NIC) == without_fact(with_fact(more, NIC), NIC)
