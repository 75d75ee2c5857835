"""A user of the group libvirt takes a domain to another host with all that it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.libvirtapi.connection import open_connection
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.ordinary_user import OrdinaryUser
from tests.libvirt.domains import remove_domains
from tests.libvirt.user.conftest import IMAGES, done


@pytest.fixture
def rock() -> Iterator[Host]:
    """Another host as Debian's packages leave it, with a pool "default"."""
    with private_host("rock", as_packaged=True) as host, open_connection(host.uri) as connection:
        pool = f"<pool type='dir'><name>default</name><target><path>{IMAGES}</path></target></pool>"
        connection._handle.storagePoolCreateXML(pool)
        yield host
        remove_domains(connection)


def test_a_domain_moves_with_variables_and_tpm_and_starts_there(user: OrdinaryUser, rock: Host) -> None:
    words = ["--memory", "64MiB", "--disk", "size=1MiB", "--graphics", "none", "--firmware", "uefi", "--tpm"]
    done(user.holdfast("create", "web", *words, "--start"))
    done(user.holdfast("destroy", "web"))
    said = done(user.holdfast("migrate", "web", rock.uri, "--copy-storage"))
    assert "web: is moved" in said and "copied: vda" in said
    assert not done(user.virsh("list", "--all", "--name")).split()
    there = OrdinaryUser(rock)
    done(there.holdfast("start", "web"))
    done(there.holdfast("destroy", "web"))
