"""For a manager that starts domains itself: the check before a start, and the record after it."""

from __future__ import annotations

from holdfast.errors.hosts import CPU_NOT_GIVEN
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.cpus import HostCpus
from holdfast.operations.own_state import refuse_lost_state
from holdfast.operations.power_record import record_start_by_manager
from holdfast.operations.session import Need, changing, looking


def refuse_start(connection: Connection, name: str, *, other_cpu: bool = False) -> None:
    """Raise STATE_GONE where a start of the domain ``name`` would replace NVRAM or TPM state that is lost.

    Raises CPU_NOT_GIVEN where the host cannot give it the CPU that its document names, unless it is to have an
    ``other_cpu``; NO_DOMAIN and TRANSIENT. (virDomainGetXMLDesc, virConnectCompareHypervisorCPU)
    """
    domain = looking(connection, name, needs=Need.CONFIG)
    config = domain.documents.config
    assert config is not None  # an operation that needs it refuses a domain without
    refuse_lost_state(connection, domain.name, config)
    lack = None if other_cpu else HostCpus(connection).lack_of(config)
    if lack is not None:
        raise CPU_NOT_GIVEN(name=domain.name, lacks=lack)


def record_start(connection: Connection, name: str) -> None:
    """Record what the domain ``name``, which its manager has just started, was given; in a rescue, nothing.

    See :func:`holdfast.operations.power_record.record_start_by_manager`. Raises NO_DOMAIN. (virDomainSetMetadata)
    """
    with changing(connection, name) as domain:
        if not domain.in_rescue:
            record_start_by_manager(domain)
