"""``<features>``: what the machine can do. Nearly all of it is guest side."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.os import chooses_firmware
from holdfast.domainxml.sides import Note, Sides, View


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """A firmware that libvirt chooses at the start may need SMM, which libvirt then turns on, in live only.

    Of Hyper-V features that are left to the host, what live has is a note (libvirt 11.9).
    """
    if chooses_firmware(before) != chooses_firmware(after) and ("smm@state" in one.guest) != (
        "smm@state" in other.guest
    ):
        one.drop("smm@state")
        other.drop("smm@state")
    for asked, got, asked_view, got_view in ((before, after, one, other), (after, before, other, one)):
        if hyperv_mode(asked) == "host-model" and got.get("id") is not None and asked.get("id") is None:
            for path in set(got_view.guest) - set(asked_view.guest):
                if path.startswith("hyperv/"):
                    del got_view.guest[path]
            if got_view.guest.get("hyperv@mode") != asked_view.guest.pop("hyperv@mode"):
                words = "host-model, whatever the host has", "what this host has"
                yield ("hyperv@mode", *(words if asked is before else words[::-1]))
            got_view.guest.pop("hyperv@mode", None)


def hyperv_mode(domain: Element) -> str:
    """Who chooses the Hyper-V features: "custom", the document; "host-model" or "passthrough", the host at a start."""
    return value_at(domain, "features/hyperv@mode") or "custom"


SIDES = Sides(
    "features",
    guest="""
        acpi apic apic@eoi pae viridian privnet hap@state pmu@state vmport@state smm@state smm/tseg smm/tseg@unit
        pvspinlock@state vmcoreinfo@state ioapic@driver gic@version htm@state nested-hv@state ccf-assist@state
        hpt@resizing hpt/maxpagesize hpt/maxpagesize@unit cfpc@value sbbc@value ibs@value msrs@unknown
        aia@value ps2@state ras@state virtualization
        hyperv@mode=custom hyperv/relaxed@state hyperv/vapic@state hyperv/spinlocks@state,retries
        hyperv/vpindex@state hyperv/runtime@state hyperv/synic@state hyperv/stimer@state
        hyperv/stimer/direct@state hyperv/reset@state hyperv/vendor_id@state,value hyperv/frequencies@state
        hyperv/reenlightenment@state hyperv/tlbflush@state hyperv/tlbflush/direct@state
        hyperv/tlbflush/extended@state hyperv/emsr_bitmap@state hyperv/xmm_input@state
        hyperv/ipi@state hyperv/evmcs@state hyperv/avic@state
        kvm/hidden@state kvm/hint-dedicated@state kvm/poll-control@state kvm/pv-ipi@state
        xen/e820_host@state xen/passthrough@state,mode
        capabilities@policy
        capabilities/audit_control@state capabilities/audit_write@state capabilities/block_suspend@state
        capabilities/chown@state capabilities/dac_override@state capabilities/dac_read_search@state
        capabilities/fowner@state capabilities/fsetid@state capabilities/ipc_lock@state
        capabilities/ipc_owner@state capabilities/kill@state capabilities/lease@state
        capabilities/linux_immutable@state capabilities/mac_admin@state capabilities/mac_override@state
        capabilities/mknod@state capabilities/net_admin@state capabilities/net_bind_service@state
        capabilities/net_broadcast@state capabilities/net_raw@state capabilities/setfcap@state
        capabilities/setgid@state capabilities/setpcap@state capabilities/setuid@state
        capabilities/sys_admin@state capabilities/sys_boot@state capabilities/sys_chroot@state
        capabilities/sys_module@state capabilities/sys_nice@state capabilities/sys_pacct@state
        capabilities/sys_ptrace@state capabilities/sys_rawio@state capabilities/sys_resource@state
        capabilities/sys_time@state capabilities/sys_tty_config@state capabilities/syslog@state
        capabilities/wake_alarm@state
    """,
    host="tcg/tb-cache tcg/tb-cache@unit kvm/dirty-ring@state,size async-teardown@enabled",
    device=False,
    reconcile=_reconcile,
)
