"""Domains of our own, each named as what it shows: :data:`CORPUS`.

Every test that says something about "all domains" walks it: the guest view's control for false alarms, the proof that
an edit touches one thing, libvirt's own judge. ``machines`` has boards, processors, firmware and tuning, ``storage``
disks and controllers, ``devices`` the other kinds of device, ``elsewhere`` what the installed QEMU cannot run,
tests/xml/data/domains whole domains as people have them.
"""

from __future__ import annotations

from pathlib import Path

from tests.corpus import devices, elsewhere, machines, storage
from tests.corpus.builder import Sample

_FILES = Path(__file__).parents[1] / "xml" / "data" / "domains"


def _files() -> dict[str, Sample]:
    samples = {}
    for file in sorted(_FILES.glob("*.xml")):
        text = file.read_text()
        samples[file.stem] = Sample(file.stem, text, needs="/dev/vhost-vsock" if "<vsock" in text else "", is_file=True)
    return samples


CORPUS: dict[str, Sample] = _files()
"""Name → sample. ``@FOLDER@`` in a document stands for the folder with its images: see :meth:`Sample.document`."""

for _table in (machines.SAMPLES, storage.SAMPLES, devices.SAMPLES, elsewhere.SAMPLES):
    if twice := CORPUS.keys() & _table.keys():
        raise ValueError(f"two domains of one name: {twice}")
    CORPUS |= _table
