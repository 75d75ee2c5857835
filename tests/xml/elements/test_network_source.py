"""Images on the network: a URL becomes a ``<source>`` element, and the element is named by the same URL."""

from __future__ import annotations

import pytest
from tests.raising import raising

from holdfast.cli import hints
from holdfast.domainxml.document import parse, same
from holdfast.domainxml.elements.disk import network_source, new_disk, source_of
from holdfast.domainxml.elements.network_source import parse_url
from holdfast.errors.elements import NO_SUCH_URL


@pytest.mark.parametrize(
    ("url", "element"),
    [
        (
            "nbd://store:10810/disk%201",
            "<source protocol='nbd' name='disk 1'><host name='store' port='10810'/></source>",
        ),
        ("nbd://store:10809/", "<source protocol='nbd'><host name='store' port='10809'/></source>"),
        ("nbd://[::1]:10809/a/b", "<source protocol='nbd' name='a/b'><host name='::1' port='10809'/></source>"),
        (
            "nbd+unix:///one?socket=/run/a%3Fb",
            "<source protocol='nbd' name='one'><host transport='unix' socket='/run/a?b'/></source>",
        ),
        (
            "iscsi://store:3260/iqn.2024-01.org.example:disks/1",
            "<source protocol='iscsi' name='iqn.2024-01.org.example:disks/1'><host name='store' port='3260'/></source>",
        ),
        ("rbd:pool/image", "<source protocol='rbd' name='pool/image'/>"),
    ],
)
def test_url_and_element_say_the_same(url: str, element: str) -> None:
    made = parse_url(url)
    assert same(made, parse(element))
    assert source_of(new_disk(network_source(made))) == url


@pytest.mark.parametrize("url", ["nbd://store", "iscsi://store/iqn.a:b/0"])
def test_default_port_is_written_down(url: str) -> None:
    host = parse_url(url).find("host")
    assert host is not None
    assert host.get("port") in ("10809", "3260")


def test_two_servers_without_an_export_name_are_two_images() -> None:
    one, other = (new_disk(network_source(parse_url(f"nbd://{host}"))) for host in ("a", "b"))
    assert source_of(one) != source_of(other)


@pytest.mark.parametrize("protocol", ["gluster", "https", "ssh"])
def test_what_has_no_short_form_is_named_all_the_same(protocol: str) -> None:
    source = parse(f"<source protocol='{protocol}' name='v/i'><host name='a'/></source>")
    assert source_of(new_disk(network_source(source))) == f"{protocol}:v/i"


@pytest.mark.parametrize(
    "url",
    [
        *("", "/x", "x", "http://a/b", "nbd:", "nbd:///x", "nbd://:1", "nbd://a:b/x", "nbd://[::1/x", "nbd://u@a/x"),
        *("nbd+unix:///x", "nbd+unix:///x?socket=rel", "nbd+unix://h/x?socket=/s", "nbd://a/x?tls=1"),
        *(
            "iscsi://a/",
            "iscsi://a/iqn.b:c",
            "iscsi://a/iqn.b:c/x",
            "rbd:image",
            "rbd:pool/",
            "rbd:/image",
            "rbd://p/i",
        ),
    ],
)
def test_anything_else_is_a_usage_error_that_names_the_forms(url: str) -> None:
    with raising(NO_SUCH_URL, text=url) as error:
        parse_url(url)
    assert "rbd:POOL/IMAGE" in hints.hint(error.value)
