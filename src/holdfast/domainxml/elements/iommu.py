"""``<iommu>``: the IOMMU of the guest's machine."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "iommu",
    guest="""
        @model driver@intremap=off driver@caching_mode=off driver@iotlb=off driver@eim=off
        driver@aw_bits driver@dma_translation=on driver@passthrough=off driver@xtsup=off
        driver@accel,ats,cmdqv,oas,pciBus,ril,ssidsize driver/granule@mode,size,unit
    """,
)
