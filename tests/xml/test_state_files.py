"""What a domain has beside its document: where each form of document has it, and how it is named after nobody else."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.elements.firmware import nvram_of, nvram_template, set_nvram, set_nvram_template
from holdfast.domainxml.host.state_files import StateFile, StateFolders, StateKind, name_nvram, state_files

FOLDERS = StateFolders("/lib/nvram", "/lib/swtpm")
UUID = "5d6f8c1e-0000-4000-8000-000000000001"
LOADER = "<loader readonly='yes' type='pflash'>/fw/CODE.fd</loader>"
ROM = "<loader type='rom'>/fw/QEMU_EFI.fd</loader>"
TPM = "<tpm><backend type='emulator' version='{0}'>{1}</backend></tpm>"


def domain(os: str = "", devices: str = "", attributes: str = "") -> str:
    return (
        f"<domain><name>web</name><uuid>{UUID}</uuid><os {attributes}><type>hvm</type>{os}</os>"
        f"<devices>{devices}</devices></domain>"
    )


@pytest.mark.parametrize(
    ("document", "path", "is_named"),
    [
        (domain(f"{LOADER}<nvram template='/fw/VARS.fd'>/a/b.fd</nvram>"), "/a/b.fd", True),
        (domain(f"{LOADER}<nvram type='file'><source file='/a/b.fd'/></nvram>"), "/a/b.fd", True),
        (domain(f"{ROM}<varstore template='/fw/v.json' path='/a/b.json'/>"), "/a/b.json", True),
        (domain(LOADER), "/lib/nvram/web_VARS.fd", False),
        (domain(f"{LOADER}<nvram template='/fw/VARS.fd'/>"), "/lib/nvram/web_VARS.fd", False),
        (domain(attributes="firmware='efi'"), "/lib/nvram/web_VARS.fd", False),
    ],
    ids=["nvram", "nvram-source", "varstore", "loader-alone", "template-alone", "left-open"],
)
def test_uefi_variables_are_found_in_every_form_of_document(document: str, path: str, is_named: bool) -> None:
    assert state_files(parse(document), FOLDERS) == [StateFile(StateKind.NVRAM, path, is_named)]
    assert len(state_files(parse(document), None)) == is_named


@pytest.mark.parametrize(
    "document",
    [
        domain(),
        domain("<loader>/fw/bios.bin</loader>"),
        domain(ROM),
        domain("<loader readonly='yes' type='pflash' stateless='yes'>/fw/CODE.fd</loader>"),
        domain("<loader stateless='yes'/>", attributes="firmware='efi'"),
        domain(attributes="firmware='bios'"),
        domain(f"{LOADER}<nvram type='block'><source dev='/dev/a/b'/></nvram>"),
    ],
    ids=["bios", "bios-file", "rom", "stateless", "stateless-left-open", "bios-asked-for", "block"],
)
def test_what_is_no_file_of_variables_is_none(document: str) -> None:
    before = parse(document)
    assert state_files(before, FOLDERS) == []
    after = parse(document)
    name_nvram(after, FOLDERS)
    assert serialize(after) == serialize(before)


@pytest.mark.parametrize(
    ("tpm", "path", "is_named"),
    [
        (TPM.format("2.0", ""), f"/lib/swtpm/{UUID}/tpm2", False),
        (TPM.format("1.2", ""), f"/lib/swtpm/{UUID}/tpm1.2", False),
        (TPM.format("2.0", "<source type='dir' path='/a/tpm'/>"), "/a/tpm", True),
    ],
)
def test_state_of_a_tpm_is_found_by_uuid_or_where_it_is_said_to_be(tpm: str, path: str, is_named: bool) -> None:
    assert state_files(parse(domain(devices=tpm)), FOLDERS) == [StateFile(StateKind.TPM, path, is_named)]


def test_a_tpm_of_the_host_has_no_state_of_the_domain() -> None:
    tpm = "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"
    assert state_files(parse(domain(devices=tpm)), FOLDERS) == []


@pytest.mark.parametrize(
    ("document", "ending"),
    [(domain(LOADER), "_VARS.fd"), (domain(f"{ROM}<varstore template='/fw/v.json'/>"), "_VARS.json")],
    ids=["nvram", "varstore"],
)
def test_variables_are_named_after_the_uuid_and_only_once(document: str, ending: str) -> None:
    named = parse(document)
    name_nvram(named, FOLDERS)
    assert nvram_of(named) == f"/lib/nvram/{UUID}{ending}"
    again = parse(serialize(named))
    name_nvram(again, StateFolders("/other", "/other"))
    assert serialize(again) == serialize(named)


@pytest.mark.parametrize(
    "document",
    [
        domain(f"{LOADER}<nvram template='/fw/VARS.fd' type='file'><source file='/a/b.fd'/></nvram>"),
        domain(f"{ROM}<varstore template='/fw/VARS.fd' path='/a/b.json'/>"),
    ],
    ids=["nvram", "varstore"],
)
def test_place_and_template_of_variables_are_set_in_every_form(document: str) -> None:
    changed = parse(document)
    set_nvram(changed, "/c/d")
    assert (nvram_of(changed), nvram_template(changed)) == ("/c/d", "/fw/VARS.fd")
    assert state_files(changed, None) == [StateFile(StateKind.NVRAM, "/c/d")]
    set_nvram_template(changed, "/e")
    assert (nvram_of(changed), nvram_template(changed)) == ("/c/d", "/e")
    set_nvram_template(changed, None)
    assert nvram_template(changed) is None
