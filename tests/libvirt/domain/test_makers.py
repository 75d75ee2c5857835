"""Domains as Unraid, OSX-KVM, KubeVirt and Proxmox make them: each verb takes them like any other."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import Element, canonical, parse, value_at
from holdfast.domainxml.metadata import OURS
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, image

MAKERS = sorted((Path(__file__).parents[2] / "data" / "makers").glob("*.xml"))
EFI = Path("/usr/share/OVMF")


@pytest.fixture(params=MAKERS, ids=lambda path: path.stem)
def document(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The document that a maker wrote, with its images in a folder of the test; and an editor that gives a title."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "/<title>/d; s:</name>:</name><title>edited</title>:" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", shlex.quote(str(editor)))
    path: Path = request.param
    text = path.read_text()
    for name in set(re.findall(r"@FOLDER@/([\w.-]+)", text)):
        if name.endswith(".qcow2"):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / name, "1M"], check=True)
        elif name.endswith((".img", ".iso")):
            image(tmp_path, name.rpartition(".")[0]).rename(tmp_path / name)
        elif name.endswith(".fd"):
            shutil.copy(EFI / name.replace(".fd", "_4M.fd"), tmp_path / name)
    (tmp_path / "nvram").mkdir()
    return text.replace("@FOLDER@", str(tmp_path))


def config(domain: Domain) -> Element:
    return parse(domain.xml(CONFIG))


def beside_hardware(domain: Element) -> list[bytes]:
    """What its maker wrote that no guest reads: its own metadata, and arguments for QEMU."""
    found = [*domain.iterfind("metadata/*"), *domain.iterfind("{http://libvirt.org/schemas/domain/qemu/1.0}*")]
    return [canonical(each) for each in found if each.tag != OURS]


def go_through(connection: Connection, uri: str, name: str, folder: Path) -> None:
    """Every verb that an owner of such a domain would begin with; the guest sees what sealing makes concrete."""
    domain = connection.find_domain(name)
    own = beside_hardware(config(domain))
    before = domain.xml(CONFIG)
    for words in (f"show {name}", "audit", f"plan reboot {name}", f"device list {name}", f"disk list {name}"):
        result = run(uri, *words.split())
        assert result.exit_code in (0, 3) and not result.stderr, (words, result.output)
    done(uri, "adopt", name)
    assert compare(before, domain.xml(CONFIG)) == []
    done(uri, "seal", name, "--dry-run")
    done(uri, "seal", name)
    sealed = domain.xml(CONFIG)
    assert "is edited" in done(uri, "edit", name)
    assert config(domain).findtext("title") == "edited"
    assert visible(compare(sealed, domain.xml(CONFIG))) == []
    machine = value_at(config(domain), "os/type@machine") or ""
    done(uri, "upgrade", "machine", name, "q35" if "q35" in machine else "pc")
    booted = value_at(config(domain), "devices/disk/target@dev") or ""
    done(uri, "set", name, "--boot", booted, "--description", "of another maker")
    sealed = domain.xml(CONFIG)
    done(uri, "start", name, "--paused")
    done(uri, "reboot", "--hard", name)
    done(uri, "destroy", name)
    assert visible(compare(sealed, domain.xml(CONFIG))) == []
    assert beside_hardware(config(domain)) == own

    done(uri, "clone", name, "other")
    assert beside_hardware(config(connection.find_domain("other"))) == own
    medium = image(folder, "medium")
    done(uri, "rescue", name, "--image", str(medium), "--format", "raw")
    done(uri, "unrescue", name, "--no-start")
    assert visible(compare(sealed, domain.xml(CONFIG))) == []
    for each in ("other", name):
        done(uri, "delete", each)
    assert list(connection.domains()) == []


def test_domain_of_another_maker_is_taken_as_it_is(
    connection: Connection, uri: str, document: str, tmp_path: Path
) -> None:
    go_through(connection, uri, connection.define(document).name, tmp_path)


def test_document_of_another_maker_becomes_a_domain(
    connection: Connection, uri: str, document: str, tmp_path: Path
) -> None:
    path = tmp_path / "document.xml"
    path.write_text(document)
    before = beside_hardware(parse(document))
    done(uri, "create", "a", "--from-xml", str(path), "--dry-run")
    done(uri, "create", "a", "--from-xml", str(path))
    assert beside_hardware(config(connection.find_domain("a"))) == before
    go_through(connection, uri, "a", tmp_path)
