"""``<hostdev>``: a device of the host that is passed through to the guest, which sees which one it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from holdfast.domainxml.document import Element
from holdfast.domainxml.sides import Note, Sides, View


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """For a USB device named by vendor and product, live also says where on the host's bus the start found it.

    For one named by its port (libvirt after 11.3) live also says the number that the host has given it.
    """
    if "source/address@port" in one.guest and "source/address@port" in other.guest:
        one.drop("source/address@device")
        other.drop("source/address@device")
    if before.find("source/vendor") is not None and after.find("source/vendor") is not None:
        one.drop("source/address@")
        other.drop("source/address@")
    yield from ()


SIDES = Sides(
    "hostdev",
    guest="""
        @mode @type @model @display=off @ramfb=off @sgio=filtered readonly boot@order,loadparm
        rom@bar=on rom@enabled=yes rom@file teaming@type,persistent
        source@protocol,name,wwpn,guestReset source/vendor@id source/product@id
        source/address@domain,bus,slot,function,device,port,target,unit,uuid
        source/adapter@name,type,wwnn,wwpn source/block source/char source/interface
        ip@address,family,prefix,peer route@family,address,netmask,prefix,gateway,metric
    """,
    host="""
        @managed @rawio shareable driver@name,model,iommufd
        source@startupPolicy,writeFiltering source/address@multifunction
        source/adapter@managed,parent,parent_wwnn,parent_wwpn,parent_fabric_wwn source/adapter/parentaddr/**
        source/host@name,port source/auth/** source/initiator/**
    """,
    identity="""
        source/address@uuid
        source/address@domain+source/address@bus+source/address@slot+source/address@function
        alias source/vendor@id+source/product@id
    """,
    reconcile=_reconcile,
)


def set_mediated_devices(domain: Element, others: Mapping[str, str]) -> None:
    """Give ``domain`` other mediated devices of the host; ``others`` is old UUID → new UUID."""
    for address in domain.iterfind("devices/hostdev[@type='mdev']/source/address"):
        uuid = address.get("uuid", "")
        address.set("uuid", others.get(uuid, uuid))
