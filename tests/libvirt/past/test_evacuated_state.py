"""What an evacuated domain had beside its document: copies of its state come along, secrets that nobody kept do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors.firmware import IDENTITY_NEEDED, STATE_GONE
from holdfast.errors.history import SECRETS_NEEDED
from holdfast.history.claims import Claims
from holdfast.hostfiles.state_copies.own_files import read_state
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.history_place import history_place
from holdfast.operations.hosts.evacuate import Evacuated, evacuate
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.past.kept import NVRAM, TPM, Kept
from tests.libvirt.past.two_histories import new_remote
from tests.libvirt.state.states import lose, place, started_once


@pytest.fixture
def remote(tmp_path: Path) -> str:
    return str(new_remote(tmp_path / "remote.git"))


def on_another_host(connection: Connection, domain: Domain, remote: str) -> None:
    """As if hv9 had it: libvirt knows nothing of it here."""
    operations.record_host(connection)
    operations.push_history(connection, remote)
    assert not Claims(remote).move([domain.uuid], history_place(connection).host, "hv9", "root")
    domain.undefine(keep_nvram=True, keep_tpm=True)


def come(connection: Connection, remote: str, **options: object) -> Evacuated:
    (each,) = evacuate(connection, remote=remote, source_is_down="hv9", accept_host=True, **options)  # type: ignore[arg-type]
    return each


def test_copies_of_its_state_come_along_and_say_their_age(
    connection: Connection, uri: str, kept: Kept, key: Path, remote: str
) -> None:
    domain = started_once(connection)
    places = [place(connection, domain, kind) for kind in (NVRAM, TPM)]
    before = [read_state(str(path)) for path in places]
    operations.copy_state(connection)
    on_another_host(connection, domain, remote)
    lose(places[0])
    lose(places[1].parent)
    refused = come(connection, remote)
    assert refused.error is not None and refused.error.code == IDENTITY_NEEDED.code
    words = ("evacuate", "a", uri, "--from", remote, "--source-is-down", "hv9", "--accept-host")
    said = done(uri, *words, "--identity", str(key))
    assert said.count("comes from a copy of 20") == 2
    assert [read_state(str(path)) for path in places] == before
    operations.start(connection, "a", paused=True)


def test_state_without_a_copy_is_made_anew_only_where_that_is_said(
    connection: Connection, uri: str, kept: Kept, remote: str
) -> None:
    domain = started_once(connection)
    nvram, tpm = place(connection, domain, NVRAM), place(connection, domain, TPM)
    on_another_host(connection, domain, remote)
    lose(nvram)
    lose(tpm.parent)
    refused = come(connection, remote)
    assert refused.error is not None and refused.error.code == STATE_GONE.code
    words = ("evacuate", "a", uri, "--from", remote, "--source-is-down", "hv9", "--accept-host", "--start")
    assert run(uri, *words, "--fresh-nvram").exit_code == STATE_GONE.kind.exit_code
    said = done(uri, *words, "--fresh-nvram", "--fresh-tpm")
    assert said.count("is made anew at its next start") == 2
    assert nvram.exists()


def test_a_console_listens_nowhere_unless_its_password_is_given(
    connection: Connection, uri: str, remote: str, tmp_path: Path
) -> None:
    graphics = "<graphics type='vnc' port='-1' autoport='yes' passwd='geheim'><listen type='address'/></graphics>"
    (tmp_path / "password").write_text("neu")
    given = ("--secret", f"/domain/devices/graphics/@passwd={tmp_path}/password")
    for name, more in (("a", ()), ("b", given)):
        domain = connection.define(domain_xml(name, extra=graphics))
        on_another_host(connection, domain, remote)
        words = ("evacuate", name, uri, "--from", remote, "--source-is-down", "hv9", "--accept-host", *more)
        assert ("listens nowhere" in done(uri, *words)) is not bool(more)
        document = connection.find_domain(name).xml(CONFIG, secure=True)
        assert ("<listen type='none'/>" in document, "passwd='neu'" in document) == (not more, bool(more))


def test_arguments_of_qemu_that_were_not_kept_are_asked_for(connection: Connection, remote: str) -> None:
    arguments = (
        "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        "<qemu:env name='TOKEN' value='geheim'/></qemu:commandline></domain>"
    )
    domain = connection.define(domain_xml("a").replace("</domain>", arguments))
    on_another_host(connection, domain, remote)
    refused = come(connection, remote)
    assert refused.error is not None and refused.error.code == SECRETS_NEEDED.code
    assert not connection.domains()
