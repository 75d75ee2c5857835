"""The everyday operations on a newer libvirt: what it names by itself is neither left open nor in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.make.open_parts import Remedy, open_parts
from holdfast.domainxml.make.rescue import nvram_copy
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.corpus import CORPUS
from tests.corpus import newer as newer_corpus
from tests.corpus.builder import Sample
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, image, place

SAMPLES = [*newer_corpus.SAMPLES.values(), *(CORPUS[name] for name in ("q35-many-devices", "uefi-automatic"))]


def test_a_domain_that_is_created_there_is_sealed_and_stays_as_it_is(newer: Connection, tmp_path: Path) -> None:
    disk, more = (DiskSpec(path=str(image(tmp_path, name)), format="raw") for name in ("root", "data"))
    spec = DomainSpec(
        memory=64 << 20, firmware="uefi", tpm=True, disks=(disk,), interfaces=(InterfaceSpec(kind="user"),)
    )
    operations.create_domain(newer, "web", spec)
    domain = newer.find_domain("web")
    operations.start(newer, "web", paused=True)
    attached = operations.attach_disk(newer, "web", more)
    where = place(domain, attached.label)
    sealed = domain.xml(CONFIG)
    assert open_parts(parse(sealed)) == []
    assert visible(compare(sealed, domain.xml(LIVE))) == []
    assert operations.seal_domain(newer, "web").closed == ()
    assert not operations.plan_reboot(newer, "web").differs
    operations.reboot(newer, "web", hard=True)
    assert place(domain, attached.label) == where
    assert visible(compare(sealed, domain.xml(LIVE))) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.name for sample in SAMPLES])
def test_what_others_made_there_is_sealed(newer: Connection, folder: Path, sample: Sample) -> None:
    newer.define(sample.document(folder))
    left = operations.seal_domain(newer, sample.name).left
    assert [part for part in left if part.remedy is Remedy.SEAL] == []
    assert operations.seal_domain(newer, sample.name).closed == ()


@pytest.mark.parametrize("left_open", [False, True])
def test_uefi_guest_is_rescued_there_on_a_copy_of_its_variables(
    newer: Connection, tmp_path: Path, left_open: bool
) -> None:
    if left_open:
        newer.define(domain_xml("web").replace("<os>", "<os firmware='efi'>"))
    else:
        operations.create_domain(newer, "web", DomainSpec(memory=64 << 20, firmware="uefi", graphics="none"))
    domain = newer.find_domain("web")
    operations.start(newer, "web", paused=True)
    before = domain.xml(CONFIG)
    medium = DiskSpec(path=str(image(tmp_path, "r")), format="raw")
    operations.rescue(newer, "web", medium, accept=True, force=True)
    own, used = (nvram_of(parse(newer.find_domain("web").xml(definition))) for definition in (CONFIG, LIVE))
    assert own is not None and used == nvram_copy(own)
    operations.unrescue(newer, "web")
    assert visible(compare(before, domain.xml(CONFIG))) == []
