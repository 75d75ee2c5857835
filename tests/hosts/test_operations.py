"""The everyday operations on a newer libvirt: what it names by itself is neither left open nor in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.make.open_parts import Remedy, open_parts
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.corpus import CORPUS
from tests.corpus import newer as newer_corpus
from tests.corpus.builder import Sample
from tests.libvirt.domains import CONFIG, LIVE, image, place

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
