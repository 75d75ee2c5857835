"""What our driver replaces and uses of Nova, compared with the Nova that it was written against.

``python -m nova_judge.surface`` writes the table of the release that is installed anew, ``--check FILE...`` compares
tables with it (:mod:`holdfast_nova.nova_at_hand`). Run with a Python that has Nova.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from holdfast_nova.nova_at_hand import SURFACES, OtherInstalled, Pinned, installed_name, names_of_table, release_at_hand
from nova_judge.sources import DRIVER, OURS, strangers, uses

_HEAD = """\
# The names of Nova that the driver overrides or uses, as they are in the release that it was written against.
# Written by scripts/nova-judge --pin, which is to be run after the new source of each has been read.
"""


def installed(known: Collection[str] = ()) -> dict[str, Pinned]:
    """The surface, as the Nova that is installed has it. ``known`` are names that our methods override elsewhere."""
    driver, ours = (_class(name) for name in (DRIVER, f"holdfast_nova.driver.{OURS}"))
    parts = [part for part in ours.__mro__ if part.__module__.startswith("holdfast_nova.")]
    own = {name for part in parts for name in vars(part) if name == "__init__" or not name.startswith("__")}
    replaced = {name for each in own if (name := f"{DRIVER}.{each}") in known or hasattr(driver, each)}
    used = {use.name for use in uses()} - {DRIVER}
    return {name: installed_name(name, "overrides" if name in replaced else "uses") for name in sorted(replaced | used)}


def _class(name: str) -> type:
    module, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(module), last)
    assert isinstance(found, type)
    return found


def write(path: Path) -> None:
    """Write the table of the Nova that is installed."""
    lines = [_HEAD]
    for name, entry in installed().items():
        signature = entry.signature.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'["{name}"]', f'how = "{entry.how}"', f'signature = "{signature}"']
        lines += [f'sha256 = "{entry.sha256}"', ""] if entry.sha256 else [""]
    path.write_text("\n".join(lines))


def complaints(path: Path) -> list[str]:
    """What is another than in the table, a sentence each."""
    table = names_of_table(path.read_text())
    now = installed({name for name, entry in table.items() if entry.how == "overrides"})
    found = [f"{use.where} uses {use.name}, and sources.OBJECTS does not tell whose that is" for use in strangers()]
    for name in sorted(now.keys() | table.keys()):
        if name not in table:
            found.append(f"{name}: our driver {now[name].how} it, and the table does not have it: --pin")
        elif name not in now:
            found.append(f"{name}: the table has it, and our driver does not use it any more: --pin")
        elif now[name].how != table[name].how:
            found.append(f"{name}: our driver {now[name].how} it, and the table says {table[name].how}: --pin")
        elif now[name] != table[name]:
            difference = OtherInstalled(name, table[name], now[name])
            found.append(f"{difference}; read it, change our driver where that matters, and pin it anew: --pin")
    return found


def main() -> int:
    """``--check FILE...`` prints what is wrong, and is 1 then; without it the table is written."""
    if sys.argv[1:2] == ["--check"]:
        files = [Path(name) for name in sys.argv[2:]]
        found = [f"{file.name}: {sentence}" for file in files for sentence in complaints(file)]
        print("".join(f"{line}\n" for line in found), end="")
        return 1 if found else 0
    table = SURFACES / f"{release_at_hand()}.toml"
    write(table)
    print(f"{table.name}: {len(names_of_table(table.read_text()))} names of Nova {version('nova')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
