"""What an operator can do about an error, in the words of OpenStack, by the code of its condition.

Where none is here, its own remedy says enough. ``holdfast`` is run on the compute host.
"""

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
"""Code of a condition → remedy, with the fields of the condition in braces."""
