"""Mediated devices (vGPUs) of domains that are kept: Nova takes one for given as long as a document names it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nova.virt.libvirt import driver as libvirt_driver

from holdfast.operations.manager.mediated_devices import replace_mediated_devices
from holdfast_nova.connection import NovaConnection, in_nova_terms

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.objects.instance import Instance
    from nova.virt.virtapi import VirtAPI


class GivenAgain(threading.local):
    """The devices that a domain has and may be given again, for the thread that allocates for it."""

    uuids: frozenset[str] = frozenset()

    @contextmanager
    def allowed(self, uuids: Iterable[str]) -> Iterator[None]:
        """These are free meanwhile, and taken before any other."""
        self.uuids = frozenset(uuids)
        try:
            yield
        finally:
            self.uuids = frozenset()


class GivesMediatedDevicesAgain(libvirt_driver.LibvirtDriver):
    """The part of the driver that gives a domain its mediated devices again, as long as no other one has them."""

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._given_again = GivenAgain()

    def _get_all_assigned_mediated_devices(self, instance: Instance | None = None) -> dict[str, str]:
        """As stock; asked for what is not free, it leaves out what this thread gives to its domain again."""
        assigned = super()._get_all_assigned_mediated_devices(instance)
        return {mdev: uuid for mdev, uuid in assigned.items() if instance or mdev not in self._given_again.uuids}

    def _get_existing_mdevs_not_assigned(self, parent: str, requested_types: object = None) -> Collection[str]:
        """As stock; what a domain is given again comes last, from where Nova takes the first."""
        free, own = super()._get_existing_mdevs_not_assigned(parent, requested_types), self._given_again.uuids
        return sorted(free, key=own.__contains__) if own else free

    def _replace_taken_mdevs(
        self, context: RequestContext, instance: Instance, assigned: dict[str, str], connection: NovaConnection
    ) -> None:
        """Since the resize another instance may have a mediated device of the document from before; see ``assigned``.

        Raises ComputeResourcesUnavailable where there is no other.
        """
        own = self._get_all_assigned_mediated_devices(instance).keys()
        taken = [mdev for mdev in own if assigned.get(mdev, instance.uuid) != instance.uuid]
        if taken:
            allocations = self.virtapi.reportclient.get_allocations_for_consumer(context, instance.uuid)
            with self._given_again.allowed(own - set(taken)):
                others = [mdev for mdev in self._allocate_mdevs(allocations) if mdev not in own]
            with in_nova_terms():
                replace_mediated_devices(connection, instance.uuid, dict(zip(taken, others, strict=True)))
