"""What a fault says of an error, in the words of OpenStack: what is wrong, and what an operator can do about it.

Tenants read faults. What a sentence says of the host (files, URIs, processes, words of libvirt's) is not for them: it
is in nova-compute's log. ``holdfast`` is run on the compute host.
"""

from __future__ import annotations

from holdfast.errors import HoldfastError, field_names, fill

TOLD = frozenset({"name", "seconds", "kinds", "lacks", "machine", "now", "kind", "buses"})
"""The fields of conditions that speak of the instance alone, so that its tenant may read them."""

_UNTOLD = "the compute host refuses it: the log of nova-compute says why ({code})"

SENTENCES = {
    "no-domain": "there is no domain {name!r}",
    "locked": "another Holdfast command is at work on the domain {name!r}, and did not finish within {seconds:g} s",
    "managed-save": "the domain {name!r} has saved memory",
    "no-free-place": "no place is free for another device while the instance runs",
    "state-gone": "{name!r} has lost its {kinds} state since its last start",
    "unasked": "the guest of {name!r} would see changes that nobody asked for",
    "rescue-changed": "the guest of {name!r} would see changes that nobody asked for",
    "libvirt-adds": "the guest would see changes that nobody asked for",
    "another-boot-disk": "with Nova's names for the disks, another one than before would be booted",
}
"""Code of a condition whose own sentence speaks of the host → what is said in its place."""

_RESCUE_BUS = "give the rescue image another hw_rescue_bus"
_REPEAT = "then repeat this"

REMEDIES = {
    "no-domain": "'openstack server reboot --hard' makes it anew",
    "in-rescue": f"'openstack server unrescue' first, {_REPEAT}",
    "running": f"'openstack server stop' first, {_REPEAT}",
    "restored-while-running": f"'openstack server stop' first, {_REPEAT}",
    "locked": "repeat this when that command has ended",
    "changed-meanwhile": "repeat this",
    "managed-save": "'openstack server reboot --hard' drops it",
    "state-gone": f"on its host put it back, or 'holdfast adopt {{name}}' with --fresh-nvram or --fresh-tpm; {_REPEAT}",
    "cpu-not-given": f"on its host 'holdfast unseal {{name}} --cpu', or [holdfast] cpu_policy = follow; {_REPEAT}",
    "unasked": "nothing was changed; report this, with 'holdfast xml {name}'",
    "libvirt-adds": "the old document is back; report this",
    "no-free-place": f"'openstack server stop' first, {_REPEAT}: it gets another place then",
    "another-boot-disk": "'holdfast set INSTANCE --boot TARGET' says which disk is booted, whatever they are called",
    "not-last-on-bus": f"{_RESCUE_BUS}: one of {{buses}}",
    "no-ide": f"{_RESCUE_BUS}: sata or usb",
    "ide-full": f"{_RESCUE_BUS}: sata or usb",
    "pci-full": f"{_RESCUE_BUS}: sata, usb or scsi",
    "rescue-changed": "it was switched off again; report this, with 'holdfast xml {name}'",
}
"""Code of a condition → remedy, with the fields of the condition in braces; where none is here, its own says enough."""


def sentence_of(error: HoldfastError) -> str:
    """What is wrong, with nothing of the host in it: where that is all that there is to say, the log is named."""
    own = error.condition.sentence
    told = SENTENCES.get(error.code, own if field_names(own) <= TOLD | {"cause"} else _UNTOLD)
    cause = _UNTOLD.format(code=error.code) if error.cause is None else sentence_of(error.cause)
    return fill(told, {**error.fields, "code": error.code, "cause": cause})


def remedy_of(error: HoldfastError) -> str:
    """What an operator can do about it, or about its cause, with nothing of the host in it; "" for nothing."""
    own = REMEDIES.get(error.code, error.condition.remedy)
    if not own and error.cause is not None:
        return remedy_of(error.cause)
    return fill(own, error.fields) if field_names(own) <= TOLD else ""
