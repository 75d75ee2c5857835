"""Whether the Nova at hand is one that the driver was written for: its release, and each name that the driver needs.

``surface/RELEASE.toml`` has, for each release that fits, every method that the driver overrides and every name of
Nova's that it uses, with its signature and the SHA-256 of its source (``scripts/nova-judge --pin`` writes it). This
module must load with any Nova.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import pkgutil
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from nova.objects.share_mapping import ShareMappingList

SURFACES = Path(__file__).with_name("surface")
GONE = "gone"

_WAY_OUT = "use the stock driver (compute_driver = libvirt.LibvirtDriver) until there is a holdfast-nova for it"


class UnfitNova(ImportError):
    """The driver cannot work with the Nova at hand. nova-compute logs an ImportError of a driver, and ends."""


@dataclass(frozen=True)
class Pinned:
    """A name of Nova's: "overrides" or "uses", its signature or value, and the SHA-256 of its source ("" for none)."""

    how: str
    signature: str
    sha256: str = ""


@dataclass(frozen=True)
class OtherInstalled:
    """A name of Nova's that is another in the Nova at hand (``now``) than in the release that is pinned (``then``)."""

    name: str
    then: Pinned
    now: Pinned

    @property
    def is_misfit(self) -> bool:
        """True where the driver cannot call it, or take its place; false where only its source differs."""
        return self.then.signature != self.now.signature

    def __str__(self) -> str:
        about, here = f"{self.name}, which the driver {self.then.how},", f"Nova {version('nova')}"
        if self.now.signature == GONE:
            return f"{about} is gone in {here}: it was {self.then.signature}"
        if self.is_misfit:
            return f"{about} is {self.now.signature} in {here}: it was {self.then.signature}"
        return f"{about} has another source in {here} than in the release that the driver was written for"


def refuse_misfits() -> None:
    """Raise UnfitNova where the Nova at hand is of another release, or where a name has another signature or value."""
    here, fitting = release_at_hand(), releases()
    if here not in fitting:
        known = " and ".join(map(str, fitting))
        raise UnfitNova(f"this holdfast-nova is for Nova {known}, and Nova {version('nova')} is installed: {_WAY_OUT}")
    misfits = [each for each in _found() if each.is_misfit]
    if misfits:
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise UnfitNova(f"{misfits[0]}{more}: {_WAY_OUT}")


def other_sources() -> list[OtherInstalled]:
    """What has another source here: what a distribution patched, or a later release of the same series brought."""
    return [each for each in _found() if not each.is_misfit]


@functools.cache
def _found() -> tuple[OtherInstalled, ...]:
    """What is another than in the table of the release at hand; a second of work."""
    return tuple(other_than(pinned(release_at_hand())))


def release_at_hand() -> int:
    """The release of the Nova at hand: 34 for 34.0.1."""
    return int(version("nova").partition(".")[0])


class Shares(TypedDict, total=False):
    """What Nova gives to both ends of a resize since 34."""

    share_info: ShareMappingList


def since_34(share_info: ShareMappingList | None) -> Shares:
    """The arguments that only a Nova which has given them takes."""
    return Shares() if share_info is None else Shares(share_info=share_info)


def releases() -> list[int]:
    """The releases of Nova that the driver was written for."""
    return sorted(int(path.stem) for path in SURFACES.glob("*.toml"))


def pinned(release: int) -> dict[str, Pinned]:
    """The names of Nova that the driver needs, as this release has them."""
    table = pkgutil.get_data("holdfast_nova", f"{SURFACES.name}/{release}.toml")
    assert table is not None  # the package is a folder
    return names_of_table(table.decode())


def names_of_table(table: str) -> dict[str, Pinned]:
    """The names that the text of a table has."""
    return {name: Pinned(**entry) for name, entry in tomllib.loads(table).items()}


def other_than(then: Mapping[str, Pinned]) -> Iterator[OtherInstalled]:
    """What of these names is another in the Nova at hand."""
    for name, entry in then.items():
        now = installed_name(name, entry.how)
        if now != entry:
            yield OtherInstalled(name, entry, now)


def installed_name(name: str, how: str) -> Pinned:
    """A name of the Nova at hand."""
    try:
        thing = _resolve(name)
    except LookupError:
        return Pinned(how, GONE)
    if isinstance(thing, _Assigned):
        return Pinned(how, "assigned", _hash(thing.text))
    if isinstance(thing, property):
        thing = thing.fget
    if isinstance(thing, functools.partial):  # a function of nova.privsep
        thing = thing.args[0]
    if inspect.isclass(thing):
        return Pinned(how, f"class {thing.__name__}", _hash(_source_of_class(thing)))
    if inspect.isroutine(thing):
        source = textwrap.dedent(inspect.getsource(thing))
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)
        return Pinned(how, f"({ast.unparse(_without_types(function.args))})", _hash(source))
    if isinstance(thing, str | int | dict | tuple | list | None):
        return Pinned(how, repr(thing))
    return Pinned(how, type(thing).__name__)


def _without_types(arguments: ast.arguments) -> ast.arguments:
    """Names and defaults: Nova writes types into more of its signatures from release to release."""
    for each in ast.walk(arguments):
        if isinstance(each, ast.arg):
            each.annotation = None
    return arguments


@dataclass(frozen=True)
class _Assigned:
    """An attribute of an instance: what ``__init__`` assigns to it."""

    text: str


def _resolve(name: str) -> object:
    """The thing of this dotted name: in a module, in a class, or what a class's ``__init__`` assigns."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if inspect.isclass(thing) and not hasattr(thing, part):
                thing = _assigned(thing, part)
            elif hasattr(thing, part):
                thing = getattr(thing, part)
            else:
                raise LookupError(name)
        return thing
    raise LookupError(name)


def _assigned(owner: type, attribute: str) -> _Assigned:
    for base in owner.__mro__[:-1]:
        source, classes = _module(base.__module__)
        for node in ast.walk(classes.get(base.__name__, ast.Pass())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Attribute) and target.attr == attribute for target in targets):
                return _Assigned(ast.get_source_segment(source, node) or "")
    raise LookupError(attribute)


def _source_of_class(found: type) -> str:
    source, classes = _module(found.__module__)
    return ast.get_source_segment(source, classes[found.__name__]) or ""


@functools.cache
def _module(name: str) -> tuple[str, dict[str, ast.ClassDef]]:
    """The source of a module, and its classes: inspect reads the whole module anew for each of them (Python 3.11)."""
    source = inspect.getsource(importlib.import_module(name))
    return source, {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def _hash(source: str) -> str:
    return hashlib.sha256(textwrap.dedent(source).encode()).hexdigest()
