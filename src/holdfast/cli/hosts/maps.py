"""The options that say what of one host stands for what of another: shared by all commands that a domain arrives by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., None])


def map_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--map-network``, ``--map-bridge``, ``--map-pool`` and ``--map-path``; the command gets them as ``maps``."""

    @_map_option("network", "The network")
    @_map_option("bridge", "The bridge")
    @_map_option("pool", "The storage pool")
    @_map_option("path", "The file or folder")
    @functools.wraps(command)
    def wrapper(
        *args: object,
        networks: dict[str, str],
        bridges: dict[str, str],
        pools: dict[str, str],
        paths: dict[str, str],
        **kwargs: object,
    ) -> None:
        from holdfast import operations

        maps = operations.HostMaps(networks=networks, bridges=bridges, pools=pools, paths=paths)
        command(*args, maps=maps, **kwargs)

    return wrapper


def _map_option(name: str, what: str) -> Callable[[_Command], _Command]:
    help = f"{what} NEW of the other host stands for OLD (repeatable)."
    return click.option(f"--map-{name}", f"{name}s", metavar="OLD=NEW", multiple=True, callback=_pairs, help=help)


def _pairs(context: click.Context, parameter: click.Parameter, said: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in said]
    for old, equals, new in pairs:
        if not (old and equals and new):
            raise click.BadParameter(f"{old + equals + new!r} is not OLD=NEW")
    return {old: new for old, _, new in pairs}
