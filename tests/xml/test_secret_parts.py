"""A document is shown without its secrets and with all else; what nobody has looked at is judged by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.secretive import FIRST, LAST, MARK, SPICE, VNC, secretive_xml, web_disk
from tests.xml.compare.schema_paths import SCHEMAS, SchemaPaths

from holdfast.domainxml.compare.guest_view import compare, compare_documents
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.describe.hardware_tree import hardware_tree
from holdfast.domainxml.describe.summary import device_lines
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.device import describe
from holdfast.domainxml.document import Element, canonical, child, devices, element, parse, same, serialize
from holdfast.domainxml.past.secret_places import close_console, put_back_secrets
from holdfast.domainxml.secret_parts import (
    HARMLESS,
    SECRET,
    end_of,
    is_secret,
    keep_secrets,
    kept_of,
    looks_secret,
    secrets_of,
    shown,
    shown_text,
    shown_words,
)
from holdfast.domainxml.sides import all_values
from holdfast.errors import InvalidDocument
from holdfast.text import HIDDEN

NEWER = set((Path(__file__).parent / "data" / "newer-schema-paths").read_text().split())
OF_OTHER_HYPERVISORS = {"xen:arg@value", "bhyve:arg@value", "os/initenv"}


def unclassified(paths: set[str]) -> set[str]:
    """What looks secret and is declared neither secret nor harmless."""
    return {end for path in paths if looks_secret(path) and (end := end_of(path)) not in (*SECRET, *HARMLESS)}


@pytest.fixture(scope="module")
def schema() -> set[str]:
    """The paths of the installed libvirt and of a newer one."""
    if not SCHEMAS.is_dir():
        pytest.skip("libvirt's schemas are not installed (Debian: libvirt0)")
    return SchemaPaths().paths | NEWER


def test_every_path_of_the_schema_that_looks_secret_is_judged(schema: set[str]) -> None:
    assert unclassified(schema) == set()


def test_nothing_is_judged_that_libvirt_does_not_have(schema: set[str]) -> None:
    assert {*SECRET, *HARMLESS} - {end_of(path) for path in schema} == set()


def test_harmless_is_only_what_looks_secret() -> None:
    assert [end for end in HARMLESS if not looks_secret(end)] == []
    assert HARMLESS.keys() & SECRET.keys() == set()


@pytest.mark.parametrize(
    "path", ["devices/disk/source@token", "devices/graphics@password", "devices/vsock/session", "os/secret@value"]
)
def test_a_new_path_that_looks_secret_is_found_and_not_shown(path: str) -> None:
    assert unclassified({path}) == {end_of(path)}
    assert is_secret(path)


def holding(path: str, value: str) -> Element:
    """A domain with ``value`` at ``path``, where libvirt's own extensions have their namespaces."""
    where, _, attribute = path.partition("@")
    root = node = parse("<domain type='qemu'><name>a</name></domain>")
    for step in where.split("/"):
        prefix, _, name = step.rpartition(":")
        node = child(node, f"{{http://libvirt.org/schemas/domain/{prefix}/1.0}}{name}" if prefix else name)
    if attribute:
        node.set(attribute, value)
    else:
        node.text = value
    return root


def test_every_path_of_the_schema_that_holds_a_secret_is_told_without_it(schema: set[str]) -> None:
    paths = {path for path in schema if is_secret(path)}
    assert {end_of(path) for path in paths} == SECRET.keys()
    for path in paths:
        before, after = holding(path, f"{MARK}-1"), holding(path, f"{MARK}-2")
        told = [shown(after), *map(str, compare_documents(before, after)), *host_changes(before, after)]
        told += [*map(repr, hardware_tree(after)), *map(repr, device_lines(after)), *unknown_parts(after)]
        told += map(describe, devices(after))
        assert MARK not in "".join(told), path
        assert MARK in serialize(after)


def test_every_path_of_the_schema_that_holds_a_secret_is_kept_without_it_and_marked(schema: set[str]) -> None:
    for path in {path for path in schema if is_secret(path)}:
        secret = holding(path, MARK)
        document, (place,) = kept_of(secret)
        assert MARK not in document, path
        prefixes = {prefix: uri for each in secret.iter() for prefix, uri in each.nsmap.items() if prefix}
        (marked,) = secret.xpath(place, namespaces=prefixes)
        assert (marked if isinstance(marked, str) else marked.text) == MARK, path


def test_every_secret_of_the_schema_comes_back_from_the_same_place_or_as_it_is_given(schema: set[str]) -> None:
    for path in {path for path in schema if is_secret(path)}:
        today = holding(path, MARK)
        document, places = kept_of(today)
        for now, given in [(today, {}), (None, dict.fromkeys(places, MARK))]:
            back = parse(document)
            assert put_back_secrets(back, places, now, given) == [], path
            assert same(back, today), path
        (lacking,) = put_back_secrets(parse(document), places, None, {})
        assert lacking.path == places[0]


def test_every_secret_of_a_domain_comes_back_although_other_devices_have_come() -> None:
    secretive = parse(secretive_xml())
    document, places = kept_of(secretive)
    today = parse(secretive_xml())
    child(today, "devices").insert(0, parse(web_disk("vdb", "other.raw").replace(MARK, "another")))
    back = parse(document)
    assert put_back_secrets(back, places, today, {}) == []
    assert same(back, parse(canonical(secretive)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cookie name='a'", "cookie name='c'"),
        ("<qemu:arg value='-object'/>", "<qemu:arg value='-S'/><qemu:arg value='-object'/>"),
        ("entry name='opt/org.example/a'", "entry name='opt/org.example/b'"),
        ("name='image.raw'", "name='another.raw'"),
    ],
)
def test_no_secret_is_taken_from_what_is_another_thing_by_now(old: str, new: str) -> None:
    document, places = kept_of(parse(secretive_xml()))
    today = secretive_xml().replace(old, new)
    assert today != secretive_xml()
    back = parse(document)
    lacking = put_back_secrets(back, places, parse(today), {})
    assert lacking
    assert set(secrets_of(back)) <= set(secrets_of(parse(secretive_xml())))


@pytest.mark.parametrize("graphics", [VNC, SPICE, "<graphics type='vnc' socket='/run/a' passwd='a'/>"])
def test_a_console_whose_password_is_lost_listens_nowhere(graphics: str) -> None:
    console = parse(graphics)
    del console.attrib["passwd"]
    close_console(console)
    assert same(console, parse(f"<graphics type='{console.get('type')}'><listen type='none'/></graphics>"))


def test_documents_that_say_the_same_are_kept_alike() -> None:
    one = parse("<domain type='qemu' id='1'><a c='1' b='2'/><!-- x --></domain>")
    other = parse('<domain id="1" type="qemu">\n  <a b="2" c="1"></a>\n</domain>')
    assert kept_of(one) == kept_of(other)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["create", "a", "--name=b c"], "create a '--name=b c'"),
        (["--token=abc"], f"'--token={HIDDEN}'"),
        (["http://user:pass@host/a"], f"'http://user:{HIDDEN}@host/a'"),
    ],
)
def test_words_of_a_command_are_told_without_secrets(words: list[str], told: str) -> None:
    assert shown_words(words) == told


def test_every_secret_of_a_domain_is_left_out_and_all_else_stays() -> None:
    document = parse(secretive_xml())
    text = shown(document)
    assert MARK in secretive_xml()
    assert MARK not in text
    for kept in ("debian", "listen=", "127.0.0.1", 'name="a"', "opt/org.example/a", "image.raw", '"-object"', '"HF"'):
        assert kept in text
    assert MARK in serialize(document), "the document itself is as it was"


def test_the_domain_of_the_tests_has_every_secret_that_there_is() -> None:
    paths = all_values(parse(secretive_xml()), "")
    assert {end_of(re.sub(r"#\d+", "", path)) for path, value in paths.items() if MARK in value} >= (
        SECRET.keys() - OF_OTHER_HYPERVISORS
    )


def test_what_is_handed_to_other_hypervisors_is_left_out() -> None:
    document = f"""<domain><os><initenv name='A'>{MARK}</initenv></os>
      <xen:commandline xmlns:xen='http://libvirt.org/schemas/domain/xen/1.0'><xen:arg value='{MARK}'/></xen:commandline>
      <bhyve:commandline xmlns:bhyve='http://libvirt.org/schemas/domain/bhyve/1.0'><bhyve:arg value='{MARK}'/>
      </bhyve:commandline></domain>"""
    assert MARK not in shown_text(document)


def test_a_document_without_secrets_is_shown_as_it_is() -> None:
    text = "<domain type='qemu'>\n  <name>a</name>\n</domain>\n"
    assert shown_text(text) == text


def test_comments_are_left_out_with_what_somebody_wrote_there() -> None:
    assert shown(parse(f"<disk><!-- {MARK} -->a<serial>x<!-- {MARK} -->y</serial></disk>")) == (
        "<disk>a<serial>xy</serial></disk>"
    )


def test_a_password_that_looks_like_an_option_is_left_out_where_no_options_are() -> None:
    assert "-hunter" not in shown(parse("<graphics type='vnc' passwd='-hunter'/>"))


@pytest.mark.parametrize("what", ["image below", "mirror", "snapshot"])
def test_cookies_are_left_out_wherever_an_image_is(what: str) -> None:
    source = web_disk()
    document = {
        "image below": f"<disk><backingStore><backingStore>{source}</backingStore></backingStore></disk>",
        "mirror": f"<disk><mirror>{source}</mirror></disk>",
        "snapshot": f"<domainsnapshot><disks>{source}</disks><domain>{VNC}</domain></domainsnapshot>",
    }[what]
    assert MARK not in shown(parse(document))


def test_secrets_are_told_for_finding_them_in_what_others_say() -> None:
    assert {f"secret,id=hf0,data={MARK}", f"secret,,id=hf0,,data={MARK}", MARK, FIRST, LAST} <= set(
        secrets_of(parse(secretive_xml()))
    )


def test_secrets_that_a_document_says_nothing_of_are_kept() -> None:
    new = parse("<graphics type='vnc' port='-1'/>")
    keep_secrets(parse(VNC), new)
    assert new.get("passwd") == MARK
    disk, old = parse(shown(parse(web_disk()))), parse(web_disk())
    keep_secrets(old, disk)
    assert same(disk, old)


def test_secrets_that_a_document_states_are_its_own() -> None:
    fewer = parse(web_disk())
    cookies = fewer.find("source/cookies")
    assert cookies is not None
    cookies.remove(cookies[1])
    cookies[0].text = "other"
    before = serialize(fewer)
    keep_secrets(parse(web_disk()), fewer)
    assert serialize(fewer) == before
    new = parse("<graphics type='spice' passwd='other'/>")
    keep_secrets(parse(SPICE), new)
    assert new.get("passwd") == "other"


@pytest.mark.parametrize(("old", "new"), [(MARK, f"{MARK}2"), (MARK, None), (None, MARK)])
def test_a_change_of_a_secret_is_told_without_it(old: str | None, new: str | None) -> None:
    def document(value: str | None) -> str:
        entries = [] if value is None else [element("entry", {"name": "opt/a]b@c/d"}, text=value)]
        return serialize(element("domain", {"type": "qemu"}, element("sysinfo", {"type": "fwcfg"}, *entries)))

    (change,) = compare(document(old), document(new))
    assert {change.before, change.after} <= {HIDDEN, None}
    assert MARK not in str(change)
    assert HIDDEN in str(change)


def test_a_new_argument_of_qemu_is_told_by_the_option() -> None:
    before = secretive_xml()
    after = before.replace("value='-object'", "value='-device'").replace(f"data={MARK}", f"data={MARK}2")
    sentences = [str(change) for change in compare(before, after)]
    assert sentences == [
        "qemu:commandline: qemu:arg value is -device, was -object",
        f"qemu:commandline: qemu:arg#2 value is another one {HIDDEN}",
    ]


def test_a_secret_argument_that_comes_or_goes_is_told_without_its_value() -> None:
    def document(argument: str) -> str:
        qemu = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
        return (
            f"<domain type='qemu' {qemu}><qemu:commandline><qemu:arg value='-S'/>{argument}</qemu:commandline></domain>"
        )

    without, with_it = document(""), document(f"<qemu:arg value='secret,data={MARK}'/>")
    argument = "qemu:commandline: qemu:arg#2 value"
    assert [*map(str, compare(without, with_it))] == [f"{argument} is set {HIDDEN}"]
    assert [*map(str, compare(with_it, without))] == [f"{argument} is no longer given {HIDDEN}"]


def test_a_broken_document_is_refused_without_a_word_of_what_stands_in_it() -> None:
    with pytest.raises(InvalidDocument) as refused:
        parse(f"<graphics passwd='a&{MARK};'/>")
    assert MARK not in str(refused.value)
    assert "line 1" in str(refused.value)


CMDLINES = [
    ("console=ttyS0 quiet rd.vconsole.keymap=us root=/dev/vda1", ()),
    ("quiet systemd.set_credential=root.pw:{0} ro", ("systemd.set_credential=root.pw:{h} ro",)),
    (
        "systemd.set_credential_binary=a:{0} SYSTEMD_CREDENTIAL={1}",
        ("set_credential_binary=a:{h} SYSTEMD_CREDENTIAL={h}",),
    ),
    ('"systemd.set_credential=a:{0} {1}" quiet', ('"systemd.set_credential=a:{h}" quiet',)),
    ('systemd.set_credential="a:{0} {1}" quiet', ('systemd.set_credential="a:{h}" quiet',)),
    ("rd.iscsi.password={0} k3os.token={1}", ("rd.iscsi.password={h} k3os.token={h}",)),
    ("inst.ks=https://me:{0}@example.org/ks quiet", ("inst.ks=https://me:{h}@example.org/ks quiet",)),
    ("systemd.set_credential={0}", ("systemd.set_credential={h}",)),
]


@pytest.mark.parametrize(("cmdline", "printed"), CMDLINES)
def test_of_a_kernels_command_line_only_what_is_secret_is_left_out(cmdline: str, printed: tuple[str, ...]) -> None:
    said = cmdline.format(FIRST, LAST)
    document = holding("os/cmdline", said)
    text = shown(document)
    assert MARK not in text
    assert shown_text(serialize(document)).strip() == text.strip()
    kept = parse(text).findtext("os/cmdline") or ""
    assert all(each.format(h=HIDDEN) in kept for each in printed or [cmdline])
    assert all(MARK in secret for secret in secrets_of(document))
    assert sum(secret.count(MARK) for secret in secrets_of(document)) == said.count(MARK)
    changes = compare_documents(holding("os/cmdline", "quiet"), document)
    assert MARK not in " ".join(map(str, changes))
    assert MARK not in str(hardware_tree(document))
    assert document.findtext("os/cmdline") == said
    assert MARK not in shown_text(serialize(document).replace("<cmdline>", "<cmdline>quiet <!-- -->"))
