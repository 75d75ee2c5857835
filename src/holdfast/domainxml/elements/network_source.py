"""``<source protocol='…'>`` of a disk: an image on the network, and its short form, the URL that QEMU takes.

``nbd://HOST[:PORT]/EXPORT``, ``nbd+unix:///EXPORT?socket=PATH``, ``iscsi://HOST[:PORT]/IQN/LUN``, ``rbd:POOL/IMAGE``.
Passwords, TLS and Ceph's monitors have no short form: they are said in XML only.
"""

from __future__ import annotations

from urllib.parse import SplitResult, quote, unquote, urlsplit

from holdfast.domainxml.document import Element, element
from holdfast.errors.elements import NO_SUCH_URL

_PORTS = {"nbd": 10809, "iscsi": 3260}
"""The usual ports, IANA's, QEMU's and libvirt's. They are written down, or only live would name them (libvirt 9.0)."""

_PLAIN = "/:@.,+=~"
"""The characters that stand for themselves in the path of a URL, besides letters and digits."""

_FORMS = "nbd://HOST:PORT/EXPORT, nbd+unix:///EXPORT?socket=/PATH, iscsi://HOST/IQN/LUN or rbd:POOL/IMAGE"


def parse_url(text: str) -> Element:
    """The ``<source>`` of the image that a URL names. Raises NO_SUCH_URL for text of any other form."""
    url = _split(text)
    if url.scheme == "rbd" and not url.netloc and 0 < url.path.find("/") < len(url.path) - 1:
        return element("source", {"protocol": "rbd", "name": unquote(url.path)})
    name = unquote(url.path.removeprefix("/"))
    if url.scheme == "nbd+unix" and not url.netloc:
        key, _, socket = url.query.partition("=")
        if key == "socket" and socket.startswith("/"):
            return _source("nbd", name, {"transport": "unix", "socket": unquote(socket)})
    if url.scheme in _PORTS and url.hostname and not (url.query or url.username):
        target, _, lun = name.rpartition("/")
        if url.scheme == "nbd" or (target and lun.isdigit()):
            return _source(url.scheme, name, {"name": url.hostname, "port": str(url.port or _PORTS[url.scheme])})
    raise NO_SUCH_URL(text=text, forms=_FORMS)


def url_of(source: Element) -> str:
    """The URL of a ``<source>`` with a protocol; "PROTOCOL:NAME" where the source has no short form."""
    protocol, name = source.get("protocol", ""), source.get("name", "")
    hosts = source.findall("host")
    if protocol not in _PORTS or len(hosts) != 1:
        return f"{protocol}:{name}"
    host, path = hosts[0], quote(name, safe=_PLAIN)
    if host.get("transport") == "unix":
        return f"{protocol}+unix:///{path}?socket={quote(host.get('socket', ''), safe=_PLAIN)}"
    where = host.get("name", "")
    where = f"[{where}]" if ":" in where else where
    return f"{protocol}://{where}:{host.get('port', _PORTS[protocol])}/{path}"


def _source(protocol: str, name: str, host: dict[str, str]) -> Element:
    given = {"protocol": protocol, "name": name} if name else {"protocol": protocol}
    return element("source", given, element("host", host))


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port  # reading it raises, too
    except ValueError as error:
        raise NO_SUCH_URL(text=text, forms=_FORMS) from error
    return url
