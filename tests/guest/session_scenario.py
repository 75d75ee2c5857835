"""What a user without any right runs: its own guest through the demo's day, at qemu:///session.

Prints what the guest saw differ after the baseline, as a list in JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from holdfast.libvirtapi.connection import open_connection
from holdfast_lab.comparison import compare_inventories
from holdfast_lab.scenario import BASELINE, LABELS, STEPS, Managed

if __name__ == "__main__":
    with open_connection("qemu:///session") as connection:
        managed = Managed(connection, Path.home(), "web", sys.argv[1])
        for step in STEPS:
            step.take(managed)
            if step is not STEPS[0]:
                managed.inventories[step.name] = managed.guest.inventory()
        managed.close()
    names = [step.name for step in STEPS]
    baseline, *later = [managed.inventories[name] for name in names[names.index(BASELINE) :]]
    facts = [fact for inventory in later for fact in compare_inventories(baseline, inventory, LABELS)]
    print(json.dumps([f"{fact.name}: {fact.before} → {fact.after}" for fact in facts if fact.changed]))
