"""Facts in our metadata that somebody edited: every verb goes on, or says in a sentence what it would need."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.fact import AnyFact, Creating, Started
from holdfast.domainxml.fact import Rescue as RescueMark
from holdfast.domainxml.metadata import OURS, PREFIX, URI, add_facts, fact, ours_in, tag_of
from holdfast.domainxml.records.garbled import garbled_facts
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import adopt_domain
from tests.hostile import VALUES
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.xml.records.test_garbled import FACTS

GARBLED = ("²", "")
SENTENCE = "in its metadata cannot be read"
KINDS = sorted({type(each) for each in FACTS} - {RescueMark}, key=lambda kind: kind.__name__)
"""All that stands in config; a mark of a rescue is in live alone."""


@pytest.fixture
def domain(connection: Connection, tmp_path: Path) -> Domain:
    """An adopted domain with a disk, shut off."""
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda", "<serial>one</serial>")))
    adopt_domain(connection, "a")
    return domain


def garble(domain: Domain, kind: type[AnyFact], value: str) -> Element:
    """Write ``value`` into every field of the facts of one kind, as ``virsh metadata`` can; return the document."""
    document = parse(domain.xml(CONFIG))
    if document.find(f".//{tag_of(kind)}") is None:
        add_facts(document, *(each for each in FACTS if type(each) is kind))
    for found in document.iterfind(f".//{tag_of(kind)}"):
        for name in kind.__match_args__:
            found.set(name, value)
    domain.set_metadata(ours_in(document), PREFIX, URI, CONFIG)
    return document


def ended(uri: str, *args: str) -> int:
    """Run a command; it may refuse, with a sentence, but never ends by a defect."""
    result = run(uri, *args)
    assert "this should not have happened" not in result.output, (args, result.output)
    assert result.exit_code == 0 or "error: " in result.stderr, (args, result.output)
    return result.exit_code


def verbs(uri: str, *commands: str) -> None:
    """Run each command, with "a" as its first argument."""
    for command in commands:
        verb, _, options = command.partition(" --")
        ended(uri, *verb.split(), "a", *(f"--{options}".split() if options else ()))


@pytest.mark.parametrize("value", GARBLED)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_verb_goes_on_beside_a_garbled_fact(
    domain: Domain, uri: str, tmp_path: Path, kind: type[AnyFact], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    told = any(garbled_facts(garble(domain, kind, value)))
    assert (SENTENCE in run(uri, "audit", "-o", "json").stdout) is told
    assert (SENTENCE in run(uri, "plan", "reboot", "a").stdout) is told
    for command in ("show", "disk list", "device list", "edit", "xml", "set --title t"):
        verb, _, options = command.partition(" --")
        done(uri, *verb.split(), "a", *(f"--{options}".split() if options else ()))
    verbs(uri, "seal --dry-run", "snapshot list", f"rescue --dry-run --format raw --image {image(tmp_path, 'rescue')}")
    ended(uri, "clone", "a", "b", "--dry-run")
    started = run(uri, "start", "a", "--paused")
    if kind is Creating:
        assert started.exit_code == 3, started.output
    else:
        assert (started.exit_code, SENTENCE in started.stdout) == (0, told), started.output
        verbs(uri, "show", "reboot --hard", "suspend")
        ended(uri, "disk", "attach", "a", f"path={tmp_path}/two.qcow2,size=1MiB,format=qcow2")
        done(uri, "destroy", "a")
    verbs(uri, "adopt", "release", "delete")


@pytest.mark.parametrize(
    "cpu", ["<cpu", "<domain/>", "<cpu mode='custom'><model>nonsense</model></cpu>", "<cpu/>", *VALUES[:4]]
)
def test_garbled_cpu_of_the_last_start_stops_no_start(
    connection: Connection, domain: Domain, uri: str, cpu: str
) -> None:
    document = parse(domain.xml(CONFIG))
    add_facts(document, Started(cpu, "0" * 64))
    domain.set_metadata(ours_in(document), PREFIX, URI, CONFIG)
    done(uri, "plan", "reboot", "a")
    done(uri, "start", "a", "--paused")
    started = fact(parse(domain.xml(CONFIG)), Started)
    assert started is not None and parse(started.cpu, "cpu").findtext("model") == "qemu64"
    assert SENTENCE not in done(uri, "reboot", "--hard", "a")


@pytest.mark.parametrize("value", GARBLED)
def test_garbled_mark_of_a_rescue_is_left_as_any_other(
    connection: Connection, domain: Domain, uri: str, value: str
) -> None:
    domain.start(paused=True)
    document = parse(domain.xml(LIVE))
    add_facts(document, RescueMark(value, value, value))
    domain.set_metadata(ours_in(document), PREFIX, URI, LIVE)
    assert (SENTENCE in run(uri, "audit").stdout) == any(garbled_facts(document))
    done(uri, "list")
    verbs(uri, "show", "plan reboot", "device list", "set --title t")
    assert ended(uri, "unrescue", "a", "--no-start") == 0
    assert ended(uri, "start", "a", "--paused") == 0
    assert ended(uri, "destroy", "a") == 0


def test_what_others_write_into_our_element_stops_nothing(connection: Connection, domain: Domain, uri: str) -> None:
    document = parse(domain.xml(CONFIG))
    ours = document.find(f"metadata/{OURS}")
    assert ours is not None
    ours.append(parse("<more xmlns='unraid'><!-- a comment --><?pi x?></more>"))
    ours.append(parse("<!-- seen --><later xmlns='https://holdfast.dev/xmlns/domain/1' a='1'><part/></later>"))
    connection.define(serialize(document))
    verbs(uri, "show", "start --paused", "set --title t", "destroy", "adopt")
    assert "<!-- a comment -->" in domain.xml(CONFIG) and "<holdfast:part/>" in domain.xml(CONFIG)
    done(uri, "delete", "a")


@pytest.mark.parametrize(
    "metadata",
    [
        "<a:b xmlns:a='my tool'/>",
        "<a:b xmlns:a='{}%'/>",
        "<a:b xmlns:a='ünï'/>",
        "<a:b xmlns:a='u' c:d='1'/>",
        "<a:b xmlns:a='u'><c:d/></a:b>",
        "<a:b:c xmlns:a='u'/>",
        "<a:b xmlns:a='u' xml:id='1 2'/>",
        f"<holdfast:domain xmlns:holdfast='{URI}'><c:d c:e='1'/></holdfast:domain>",
    ],
)
def test_names_that_libvirt_takes_and_xml_does_not_stop_nothing(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: str
) -> None:
    """libvirt 9.0 keeps them in metadata, as libxml2 read them."""
    text = domain_xml().replace("<memory", f"<metadata>{metadata}</metadata><memory", 1)
    domain = connection.define(text)
    kept = "a:b" in domain.xml(CONFIG)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s:<vcpu :<title>t</title><vcpu :" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    for command in ("show a", "xml a", "adopt a", "seal a", "edit a", "clone a b", "start a --paused", "adopt a"):
        done(uri, *command.split())
    for command in ("set a --title t", "destroy a", "rename a c", "release b"):
        done(uri, *command.split())
    for name in ("b", "c"):
        assert ("a:b" in connection.find_domain(name).xml(CONFIG)) == kept
        done(uri, "delete", name)
