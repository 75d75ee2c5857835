"""``<controller>``: it provides a bus. The index of a PCI controller is the number of that bus."""

from __future__ import annotations

from holdfast.domainxml.elements import virtio
from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "controller",
    guest=f"""
        @type @index @model=auto model@name @ports @vectors master@startport
        @maxGrantFrames @maxEventChannels serial pcihole64 pcihole64@unit
        target@chassisNr,chassis,port,busNr,index,memReserve target@hotplug=on target/node
        driver@queues,cmd_per_lun,max_sectors {virtio.OPTIONS}
    """,
    host="driver@iothread,ioeventfd driver/iothreads/**",
    identity="@type+@index+@model alias @type+@index",
)
