"""All decisions: one verb, one file. Each public function is one call of the Python API, and but for
:func:`follow_document`, which is for managers, one command of the CLI. What the Nova driver alone needs is not listed
here: ``arrival``, ``nova_instance``, ``rescue_from_template``, ``seal_document``.

``from holdfast import operations; operations.start(connection, "a")``: a function is imported when it is first used,
so that a program that only lists domains does not pay for reading documents. :data:`OPERATIONS` is the whole list.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.operations.adopt_domain import adopt_domain as adopt_domain
    from holdfast.operations.adopt_domain import release_domain as release_domain
    from holdfast.operations.attach_device import attach_device as attach_device
    from holdfast.operations.attach_disk import attach_disk as attach_disk
    from holdfast.operations.attach_disk import attach_interface as attach_interface
    from holdfast.operations.audit import audit as audit
    from holdfast.operations.audit import audit_hosts as audit_hosts
    from holdfast.operations.change_media import eject_medium as eject_medium
    from holdfast.operations.change_media import insert_medium as insert_medium
    from holdfast.operations.clone_domain import clone_domain as clone_domain
    from holdfast.operations.console import open_console as open_console
    from holdfast.operations.create_domain import create_domain as create_domain
    from holdfast.operations.create_domain import create_domain_from_document as create_domain_from_document
    from holdfast.operations.delete_domain import delete_domain as delete_domain
    from holdfast.operations.detach_device import detach_device as detach_device
    from holdfast.operations.device_spec import DiskSpec as DiskSpec
    from holdfast.operations.device_spec import InterfaceSpec as InterfaceSpec
    from holdfast.operations.device_spec import Place as Place
    from holdfast.operations.diff import diff as diff
    from holdfast.operations.document import document as document
    from holdfast.operations.domain_spec import DomainSpec as DomainSpec
    from holdfast.operations.edit_domain import edit_domain as edit_domain
    from holdfast.operations.extend_disk import extend_disk as extend_disk
    from holdfast.operations.follow_document import follow_document as follow_document
    from holdfast.operations.list_devices import list_devices as list_devices
    from holdfast.operations.list_domains import list_domains as list_domains
    from holdfast.operations.move_disk import abort_move as abort_move
    from holdfast.operations.move_disk import move_disk as move_disk
    from holdfast.operations.plan_host import plan_host as plan_host
    from holdfast.operations.plan_reboot import plan_reboot as plan_reboot
    from holdfast.operations.power import destroy as destroy
    from holdfast.operations.power import reboot as reboot
    from holdfast.operations.power import reset as reset
    from holdfast.operations.power import resume as resume
    from holdfast.operations.power import shutdown as shutdown
    from holdfast.operations.power import start as start
    from holdfast.operations.power import suspend as suspend
    from holdfast.operations.rename_domain import rename_domain as rename_domain
    from holdfast.operations.repair_domain import repair_domain as repair_domain
    from holdfast.operations.rescue import rescue as rescue
    from holdfast.operations.rescue import unrescue as unrescue
    from holdfast.operations.resume_host import observe_host as observe_host
    from holdfast.operations.resume_host import resume_host as resume_host
    from holdfast.operations.save_domain import discard_save as discard_save
    from holdfast.operations.save_domain import restore_domain as restore_domain
    from holdfast.operations.save_domain import save_domain as save_domain
    from holdfast.operations.seal_domain import seal_domain as seal_domain
    from holdfast.operations.set_device import set_disk as set_disk
    from holdfast.operations.set_device import set_interface as set_interface
    from holdfast.operations.set_domain import set_domain as set_domain
    from holdfast.operations.settings import DiskSettings as DiskSettings
    from holdfast.operations.settings import DomainSettings as DomainSettings
    from holdfast.operations.settings import InterfaceSettings as InterfaceSettings
    from holdfast.operations.settings import Topology as Topology
    from holdfast.operations.show_domain import show_domain as show_domain
    from holdfast.operations.snapshot_create import create_snapshot as create_snapshot
    from holdfast.operations.snapshot_delete import delete_snapshot as delete_snapshot
    from holdfast.operations.snapshot_list import list_snapshots as list_snapshots
    from holdfast.operations.snapshot_revert import revert_to_snapshot as revert_to_snapshot
    from holdfast.operations.swap_disk import swap_disk as swap_disk
    from holdfast.operations.upgrade_machine import upgrade_machine as upgrade_machine
    from holdfast.operations.verify_domain import verify_domain as verify_domain
    from holdfast.operations.watch import watch as watch

OPERATIONS = {
    "adopt_domain": "adopt_domain",
    "release_domain": "adopt_domain",
    "plan_host": "plan_host",
    "plan_reboot": "plan_reboot",
    "upgrade_machine": "upgrade_machine",
    "seal_domain": "seal_domain",
    "repair_domain": "repair_domain",
    "DiskSpec": "device_spec",
    "DomainSpec": "domain_spec",
    "InterfaceSpec": "device_spec",
    "attach_device": "attach_device",
    "attach_disk": "attach_disk",
    "attach_interface": "attach_disk",
    "audit": "audit",
    "audit_hosts": "audit",
    "clone_domain": "clone_domain",
    "create_domain": "create_domain",
    "create_domain_from_document": "create_domain",
    "detach_device": "detach_device",
    "edit_domain": "edit_domain",
    "extend_disk": "extend_disk",
    "follow_document": "follow_document",
    "Place": "device_spec",
    "swap_disk": "swap_disk",
    "abort_move": "move_disk",
    "move_disk": "move_disk",
    "insert_medium": "change_media",
    "eject_medium": "change_media",
    "list_devices": "list_devices",
    "delete_domain": "delete_domain",
    "diff": "diff",
    "document": "document",
    "open_console": "console",
    "list_domains": "list_domains",
    "rescue": "rescue",
    "unrescue": "rescue",
    "start": "power",
    "shutdown": "power",
    "reboot": "power",
    "reset": "power",
    "destroy": "power",
    "suspend": "power",
    "set_disk": "set_device",
    "set_domain": "set_domain",
    "set_interface": "set_device",
    "DiskSettings": "settings",
    "DomainSettings": "settings",
    "InterfaceSettings": "settings",
    "Topology": "settings",
    "save_domain": "save_domain",
    "restore_domain": "save_domain",
    "discard_save": "save_domain",
    "create_snapshot": "snapshot_create",
    "delete_snapshot": "snapshot_delete",
    "list_snapshots": "snapshot_list",
    "revert_to_snapshot": "snapshot_revert",
    "show_domain": "show_domain",
    "resume": "power",
    "rename_domain": "rename_domain",
    "verify_domain": "verify_domain",
    "resume_host": "resume_host",
    "observe_host": "resume_host",
    "watch": "watch",
}
"""Public function, or what it is given → module of ``holdfast.operations`` that holds it.

The imports above tell type checkers.
"""


def __getattr__(name: str) -> Any:
    if name not in OPERATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{OPERATIONS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(OPERATIONS)


class _Package(ModuleType):
    """Keeps ``operations.diff`` the function: importing the module ``diff`` would put the module in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in OPERATIONS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
