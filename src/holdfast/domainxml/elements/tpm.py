"""``<tpm>``: the Trusted Platform Module. libvirt keeps its secrets in files under the domain's UUID."""

from __future__ import annotations

from holdfast.domainxml.sides import Sides

SIDES = Sides(
    "tpm",
    guest="""
        @model backend@type,version backend/active_pcr_banks/sha1 backend/active_pcr_banks/sha256
        backend/active_pcr_banks/sha384 backend/active_pcr_banks/sha512
        backend/profile@name,source,removeDisabled backend/device@path=/dev/tpm0
    """,
    host="backend@persistent_state,debug backend/encryption@secret backend/source@type,mode,path",
    identity="alias only",
)
"""Another chip of the host (``backend/device``) holds other keys: what the guest sealed with one, no other opens."""
