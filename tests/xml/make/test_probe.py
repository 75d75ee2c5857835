"""The document of a probe: nothing of the host is in it, and what it leaves out is said."""

from __future__ import annotations

from pathlib import Path

from tests.corpus import CORPUS

from holdfast.domainxml.document import devices, parse
from holdfast.domainxml.host.reaches import reaches
from holdfast.domainxml.make.probe import probe_document

UUID = "11111111-2222-3333-4444-555555555555"
PC = [sample for sample in CORPUS.values() if sample.arch in ("x86_64", "i686")]


def test_nothing_of_the_host_is_in_it(tmp_path: Path) -> None:
    """Its firmware apart, and /dev/null, which libvirt is not to label for it."""
    for sample in PC:
        probe, _ = probe_document(parse(sample.document(tmp_path)), ("dac",), name="p", uuid=UUID)
        harmless = {probe.findtext("os/loader"), "/dev/null"}
        found = [reach for reach in reaches(probe) if reach.place not in harmless and "label" not in reach.what]
        assert found == [], sample.name
        assert (probe.findtext("name"), probe.findtext("uuid"), probe.find("metadata")) == ("p", UUID, None)


def test_each_kind_of_device_that_is_left_out_is_said(tmp_path: Path) -> None:
    for sample in PC:
        config = parse(sample.document(tmp_path))
        probe, left_out = probe_document(config, (), name="p", uuid=UUID)
        had, has = ({str(device.tag) for device in devices(each)} for each in (config, probe))
        gone = had - has - {"graphics", "audio", "redirfilter"}
        assert all(any(tag in sentence for sentence in left_out) for tag in gone), sample.name
