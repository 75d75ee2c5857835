"""A domain full of secrets moves from host to host: it arrives with them, and nothing that is said or kept has one."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import HoldfastError
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.hosts.evacuate import evacuate
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG
from tests.libvirt.hosts.evacuations import name_of
from tests.secretive import MARK, secretive_xml, web_disk


@pytest.fixture
def histories(here: Connection, there: Connection, remote: Path) -> Iterator[list[Path]]:
    """The folders of both histories, for which one remote is set."""
    folders = []
    for each in (here, there):
        assert each.history_folder is not None and each.history_settings_file is not None
        folders.append(Path(each.history_folder))
        folders[-1].mkdir(parents=True)
        settings = Path(each.history_settings_file)
        settings.write_text(f'remote = "{remote}"\n')
        settings.chmod(0o600)
    yield folders
    for folder, each in zip(folders, (here, there), strict=True):
        shutil.rmtree(folder)
        Path(str(each.history_settings_file)).unlink()


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_domain_moves_with_its_secrets_and_none_is_printed_or_logged(
    here: Connection,
    there: Connection,
    histories: list[Path],
    remote: Path,
    tmp_path: Path,
    output: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "holdfast.libvirt")

    def done(connection: Connection, *words: str) -> None:
        for dry in (["--dry-run"], []):
            result = run(connection.uri, *words, "--output", output, *dry)
            assert result.exit_code == 0, result.output
            assert MARK not in result.output

    domain = here.define(secretive_xml().replace(web_disk(), ""))  # its server would have to be on both hosts
    before = domain.xml(CONFIG, secure=True)
    done(here, "adopt", "a")
    done(here, "start", "a", "--paused")
    done(here, "migrate", "a", there.uri)
    assert there.find_domain("a").xml(CONFIG, secure=True).count(MARK) == before.count(MARK)
    done(there, "destroy", "a")
    done(there, "migrate", "a", here.uri)
    assert here.find_domain("a").xml(CONFIG, secure=True).count(MARK) == before.count(MARK)
    run(here.uri, "history", "push")
    down = ["--source-is-down", name_of(here), "--accept-host"]
    refused = run(there.uri, "evacuate", "a", there.uri, *down)
    assert refused.exit_code == 3 and MARK not in refused.output
    (tmp_path / "secret").write_text(f"{MARK}\n")
    given = [f"--secret={place}={tmp_path}/secret" for place in _needed(there, name_of(here))]
    assert len(given) > 2
    done(there, "evacuate", "a", there.uri, *down, *given)
    assert MARK in there.find_domain("a").xml(CONFIG, secure=True)
    assert "holdfast.libvirt" in caplog.text and MARK not in caplog.text
    objects = [
        zlib.decompress(path.read_bytes()) for each in (*histories, remote) for path in each.glob("objects/??/*")
    ]
    assert len(objects) > 20
    assert [each for each in objects if MARK.encode() in each] == []


def _needed(connection: Connection, down: str) -> list[str]:
    """The places of the secrets without which the domain cannot come."""
    (result,) = evacuate(connection, ["a"], source_is_down=down, accept_host=True, dry_run=True)
    assert isinstance(result.error, HoldfastError)
    places = result.error.fields["places"]
    assert isinstance(places, list)
    return places
