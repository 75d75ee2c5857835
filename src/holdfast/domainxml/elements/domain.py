"""``<domain>``: what stands directly below it and has no file of its own, such as the UUID, memory and tuning."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.memory import total_memory
from holdfast.domainxml.elements.vcpu import are_first_vcpus
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.sides import Note, Sides, View

_QEMU_NAMESPACE = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def passes_qemu_arguments(domain: Element) -> bool:
    """True when the document hands arguments to QEMU past libvirt, in libvirt's own namespace for that."""
    return any(str(node.tag).startswith(_QEMU_NAMESPACE) for node in domain)


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """What live spells out is no change: that all vCPUs are online, an empty balloon, rounded memory (libvirt 9.0).

    A document that does not say how many vCPUs there are means one.

    Once a vCPU was attached while the guest ran, live lists each of them, where config only gives a number: the first
    so many. Of two UUIDs the guest sees the ``<hwuuid>``.
    """
    if "hwuuid" in one.guest or "hwuuid" in other.guest:
        for view in (one, other):
            view.management["uuid"] = view.guest.get("uuid", "")
            view.guest["uuid"] = view.guest.pop("hwuuid", view.management["uuid"])
    if before.find("vcpus") is None or after.find("vcpus") is None:
        for document, view in ((before, one), (after, other)):
            if are_first_vcpus(document):
                view.drop("vcpus/")
    for view in (one, other):
        view.guest.setdefault("vcpu@current", view.guest.setdefault("vcpu", "1"))
    for path in _OF_THE_HOSTS_SEV:
        if (path in one.guest) != (path in other.guest):
            one.drop(path)
            other.drop(path)
    if all(view.guest.get("vcpu@current") == view.guest.get("vcpu") for view in (one, other)):
        one.drop("vcpu@current")
        other.drop("vcpu@current")
    for view in (one, other):
        if view.management.get("currentMemory") == view.guest.get("memory"):
            view.management.pop("currentMemory", None)
    if one.guest.get("memory") != other.guest.get("memory") and _given(before) == _given(after) is not None:
        for view in (one, other):
            view.guest.pop("memory", None)
    yield from ()


_OF_THE_HOSTS_SEV = ("launchSecurity/cbitpos", "launchSecurity/reducedPhysBits")
"""Where config does not say them, live has those of the host's processor (libvirt 8.4)."""


def _given(document: Element) -> int | None:
    """The memory that the guest gets, in steps to which libvirt (9.0) rounds up at the start: 256 MiB on POWER, else 1.

    None where the document names no size.
    """
    step = 256 if Platform.of(document).arch in ("ppc64", "ppc64le") else 1
    return -(-total_memory(document) // (step * 1024**2)) or None


_THROTTLED = [f"{which}_{what}_sec" for which in ("total", "read", "write") for what in ("bytes", "iops")]
_THROTTLES = " ".join(
    f"throttlegroups/throttlegroup/{name}{more}" for name in _THROTTLED for more in ("", "_max", "_max_length")
)

SIDES = Sides(
    "domain",
    guest="""
        @type uuid hwuuid genid memory memory@unit maxMemory maxMemory@unit maxMemory@slots
        vcpu vcpu@current vcpus/vcpu[id]@enabled
        pm/suspend-to-mem@enabled pm/suspend-to-disk@enabled bootloader bootloader_args
        launchSecurity@type launchSecurity@kernelHashes=no launchSecurity@authorKey=no launchSecurity@vcek=yes
        launchSecurity/cbitpos launchSecurity/reducedPhysBits
        launchSecurity/policy launchSecurity/guestVisibleWorkarounds launchSecurity/hostData
        launchSecurity/idAuth launchSecurity/idBlock
        launchSecurity/mrConfigId launchSecurity/mrOwner launchSecurity/mrOwnerConfig
        keywrap/cipher[name]@state idmap/uid@start,target,count idmap/gid@start,target,count
        qemu:commandline/qemu:arg@value qemu:commandline/qemu:env@name,value
        qemu:capabilities/qemu:add@capability qemu:capabilities/qemu:del@capability
        qemu:override/qemu:device[alias]/qemu:frontend/qemu:property[name]@type,value
        lxc:namespace/lxc:sharenet@type,value lxc:namespace/lxc:shareipc@type,value
        lxc:namespace/lxc:shareuts@type,value bhyve:commandline/bhyve:arg@value xen:commandline/xen:arg@value
    """,
    host=f"""
        @id vcpu@placement,cpuset vcpus/vcpu[id]@hotpluggable,order
        memory@dumpCore resource/partition resource/fibrechannel@appid
        iothreads iothreadids/iothread@id,thread_pool_min,thread_pool_max perf/event@name,enabled
        iothreadids/iothread/poll@grow,max,shrink,weight defaultiothread@thread_pool_min,thread_pool_max
        launchSecurity/dhCert launchSecurity/session
        launchSecurity/handle launchSecurity/quoteGenerationService@path iommufd@enabled,fdgroup
        memoryBacking/access@mode memoryBacking/allocation@mode,threads memoryBacking/discard
        memoryBacking/hugepages memoryBacking/hugepages/page@size,unit,nodeset
        memoryBacking/locked memoryBacking/nosharepages memoryBacking/source@type
        memtune/hard_limit memtune/hard_limit@unit memtune/soft_limit memtune/soft_limit@unit
        memtune/swap_hard_limit memtune/swap_hard_limit@unit memtune/min_guarantee memtune/min_guarantee@unit
        numatune/memory@mode,nodeset,placement numatune/memnode@cellid,mode,nodeset
        blkiotune/weight blkiotune/device/path blkiotune/device/weight
        blkiotune/device/read_bytes_sec blkiotune/device/write_bytes_sec
        blkiotune/device/read_iops_sec blkiotune/device/write_iops_sec
        throttlegroups/throttlegroup/group_name throttlegroups/throttlegroup/size_iops_sec {_THROTTLES}
        cputune/shares cputune/period cputune/quota cputune/global_period cputune/global_quota
        cputune/emulator_period cputune/emulator_quota cputune/iothread_period cputune/iothread_quota
        cputune/vcpupin@vcpu,cpuset cputune/emulatorpin@cpuset cputune/iothreadpin@iothread,cpuset
        cputune/vcpusched@vcpus,scheduler,priority cputune/iothreadsched@iothreads,scheduler,priority
        cputune/emulatorsched@scheduler,priority
        cputune/cachetune@id,vcpus cputune/cachetune/cache@id,level,type,size,unit
        cputune/cachetune/monitor@level,vcpus
        cputune/energytune@id,vcpus cputune/energytune/monitor@vcpus
        cputune/memorytune@vcpus cputune/memorytune/node@id,bandwidth cputune/memorytune/monitor@vcpus
        seclabel@type,model,relabel seclabel/label seclabel/baselabel seclabel/imagelabel
        vmware:datacenterpath
    """,
    management="""
        name title description currentMemory currentMemory@unit
        on_poweroff=destroy on_reboot=restart on_crash=destroy on_lockfailure qemu:deprecation@behavior
    """,
    device=False,
    reconcile=_reconcile,
)
"""``currentMemory`` is the balloon's target, which moves while the guest runs.

A vCPU is the same whether or not it can be detached again (``hotpluggable``), and in whatever order they came.
"""
