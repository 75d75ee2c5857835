"""How a libvirt's own host is asked, where that is another one than this: the command line to use."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

_OVER_SSH = ("ssh", "libssh", "libssh2")
_NAMES_URI = ("-c", "--connect")
"""What words begin with that say over which URI."""


def asked_there(uri: str, words: Sequence[str]) -> str:
    """What to paste into a shell to ask its own host what ``holdfast WORDS`` asks over ``uri``; "" where that is here.

    A URI that goes there by ssh says as which user, by which port and with which key.
    """
    url = urlsplit(uri)
    if url.hostname is None:
        return ""
    command = shlex.join(("holdfast", *_words_there(words, uri, _uri_there(url))))
    if url.scheme.partition("+")[2] not in _OVER_SSH:
        return f"on {url.hostname}: {command}"
    return shlex.join(("ssh", *_options(url), _destination(url, url.hostname), command))


def _words_there(words: Sequence[str], here: str, there: str) -> list[str]:
    if not any(word.startswith(_NAMES_URI) for word in words):
        return ["-c", there, *words]
    return [word.replace(here, there) for word in words]


def _uri_there(url: SplitResult) -> str:
    sockets = parse_qs(url.query).get("socket", [])[:1]
    return f"{url.scheme.partition('+')[0]}://{url.path}" + "".join(f"?socket={quote(each)}" for each in sockets)


def _options(url: SplitResult) -> list[str]:
    keys = parse_qs(url.query).get("keyfile", [])[:1]
    port = ["-p", str(url.port)] if url.port else []
    return [*port, *(word for key in keys for word in ("-i", key))]


def _destination(url: SplitResult, host: str) -> str:
    return f"{unquote(url.username)}@{host}" if url.username else host
