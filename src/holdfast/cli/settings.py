"""What the ``set`` commands share: how limits are read, and how a change of settings is printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.size import parse_size

if TYPE_CHECKING:
    from holdfast.operations.settings.apply import Setting, SettingsChange, Value


def parse_limit(text: str) -> int:
    """Read a limit in bytes: a size with its unit, or 0 for none. A click option takes it as its ``type``."""
    return 0 if text == "0" else parse_size(text)


def report_settings(change: SettingsChange, output: str, subject: str) -> None:
    """Print what was set on ``subject``, or would be."""
    if output == "json":
        print_result(change)
        return
    for setting in change.settings:
        for line in _lines(setting, change.dry_run):
            click.echo(f"{subject}: {line}")
    for seen in change.changes:
        click.echo(f"for the guest: {seen}")
    for note in change.notes:
        click.echo(f"note: {note}")
    if change.dry_run:
        click.echo("nothing was changed")


def _lines(setting: Setting, dry_run: bool) -> Iterator[str]:
    is_ = "would be" if dry_run else "is"
    words = None if setting.value is None else in_words(setting.name, setting.value)
    value = f" {words}" if words else ""
    done = value or (" removed" if words == "" else " set")
    if setting.changed:
        where = " and ".join(map(str, setting.changed))
        was = setting.before[setting.changed[-1]]
        before = f", was {in_words(setting.name, was)}" if was not in (None, "") else ""
        yield f"{setting.name} {is_}{done}{before}, in {where}"
    elif setting.later is None:
        yield f"{setting.name} is{done} already"
    if setting.later is not None:
        yield f"{setting.name}{value} waits: {setting.later}"


def in_words(name: str, value: Value) -> str:
    """A value as people read it: sizes with their unit, texts in one line."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int) and (name.endswith("memory") or "bytes" in name):
        from holdfast.text import size_in_words

        return size_in_words(value) if value else "0"
    if name in ("title", "description"):
        return f'"{" ".join(str(value).split())}"' if value else "empty"
    return str(value)
