"""An independent judge: where libvirt's own ABI check sees a difference, the guest view reports one."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from holdfast.domainxml.change import visible
from holdfast.domainxml.guest_view import compare
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition

DOMAINS = sorted((Path(__file__).parents[1] / "xml" / "data" / "domains").glob("*.xml"))

JUSTIFIED = {
    "name": "the guest does not see its domain's name; a move must keep it, a diff need not",
    "currentMemory": "the balloon's target, which moves while the guest runs",
    "memoryBacking": "where the host takes the guest's memory from; libvirt wants it equal for a live migration",
    "redirfilter": "which USB devices people may redirect is the host's policy; the guest has the same redirdev",
    "graphics/listen@address": "the same",
    "disk/driver removed": "libvirt 9.0 takes a missing <driver> for other virtio options than an empty one",
    "graphics@listen": "not a difference: the document contradicts itself",
}
"""What libvirt calls unstable and the guest view does not report, and why that is right."""

_OTHER = {"yes": "no", "no": "yes", "on": "off", "off": "on", "utc": "localtime", "require": "disable", "qxl": "vga"}
_OTHER |= {"virtio": "e1000", "tablet": "mouse", "i6300esb": "ib700", "qemu64": "Nehalem", "ich9": "ich6"}


def _value(text: str) -> str:
    """Another value that libvirt might accept in the same place."""
    if text in _OTHER:
        return _OTHER[text]
    if re.fullmatch(r"0x[0-9a-f]+", text):
        return hex(int(text, 16) + 1)
    return str(int(text) + 1) if text.isascii() and text.isdigit() else f"{text}x"


def _mutations(document: str, done: set[str]) -> Iterator[tuple[str, str]]:
    """Each attribute, text and element of a document changed or removed in turn; each kind of path once in all."""
    root = etree.fromstring(document)
    for number, element in enumerate(root.iter(etree.Element)):
        kind = _path(element)
        for step in [*element.attrib, "text" if (element.text or "").strip() else "", "removed"]:
            name = {"text": kind, "removed": f"{kind} removed"}.get(str(step), f"{kind}@{step}")
            if not step or name in done or element is root:
                continue
            done.add(name)
            changed = copy.deepcopy(root)
            target = list(changed.iter(etree.Element))[number]
            parent = target.getparent()
            if step == "removed" and parent is not None:
                parent.remove(target)
            elif step == "text":
                target.text = _value((target.text or "").strip())
            else:
                target.set(step, _value(target.get(step, "")))
            yield name, etree.tostring(changed, encoding="unicode")


def _path(element: etree._Element) -> str:
    """The path of an element below <domain> or <devices>; kinds of controller and disk are told apart."""
    told = [element, *element.iterancestors()][-2::-1]
    names = [f"{node.tag!s}[{node.get('model') or node.get('device') or node.get('type') or ''}]" for node in told]
    return "/".join(names).removeprefix("devices[]/").replace("[]", "")


def _ask(before: str, mutations: list[tuple[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Name, document, verdict and reason; a mutation that crashes the driver is left out."""
    while mutations:
        lines = "".join(f"{json.dumps(document)}\n" for document in (before, *(document for _, document in mutations)))
        program = [sys.executable, "-m", "tests.libvirt.abi_judge"]
        judge = subprocess.run(program, input=lines, capture_output=True, text=True, timeout=120, check=False)
        answers = [json.loads(line) for line in judge.stdout.splitlines()]
        for (name, document), (verdict, reason) in zip(mutations, answers, strict=False):
            yield name, document, verdict, reason
        mutations = mutations[len(answers) + 1 :]


def _is_justified(name: str) -> bool:
    plain = re.sub(r"\[.*?\]", "", name)
    return any(plain.startswith(known) or plain.endswith(known) for known in JUSTIFIED)


def test_what_libvirt_calls_unstable_the_guest_view_reports(connection: Connection) -> None:
    done: set[str] = set()
    verdicts: Counter[str] = Counter()
    missed = []
    for file in DOMAINS:
        domain = connection.define(file.read_text().replace("@FOLDER@", "/nowhere"))
        before = domain.xml(Definition.CONFIG)
        domain.undefine()
        for name, after, verdict, reason in _ask(before, list(_mutations(before, done))):
            verdicts[verdict] += 1
            if verdict == "unstable" and not visible(compare(before, after)) and not _is_justified(name):
                missed.append((file.stem, name, reason))
    assert missed == []
    assert verdicts["unstable"] > 100, verdicts
