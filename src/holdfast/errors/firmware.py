"""What can be wrong with the firmware of a guest, and with its own state: UEFI variables, the state of its TPM."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, Refused

NO_VIRT_FIRMWARE = Condition(
    "no-virt-firmware",
    NotFound,
    "virt-firmware, which reads and writes UEFI variables, is not installed",
    "install it for the Python that runs this program (PyPI: virt-firmware; Debian 13, Ubuntu: python3-virt-firmware)",
)
NO_CERTIFICATES = Condition(
    "no-certificates",
    NotFound,
    "the virt-firmware installed here does not have the certificate {certificate!r}",
    "install version 26.10 or later",
)
VIRT_FIRMWARE_FAILED = Condition("virt-firmware-failed", Failed, "virt-firmware failed: {reason}")
VARIABLES_UNCLEAR = Condition(
    "variables-unclear",
    Refused,
    "the NVRAM holds two variables of one name, or one that was being written when the guest stopped: it could be lost",
    "start the guest and shut it down, so that its firmware tidies up; then repeat this",
)
NO_FLASH = Condition(
    "no-flash",
    Refused,
    "the document of {name!r} names no UEFI firmware with an NVRAM in a file",
    "if it leaves the choice to libvirt, seal the domain first",
)
NO_NVRAM_YET = Condition(
    "no-nvram-yet", NotFound, "{name!r} has no NVRAM yet, and its document names no template", "start it once"
)
FLASH_ELSEWHERE = Condition("flash-elsewhere", Refused, "an NVRAM can be changed only on its own host", "do it there")
WANTS_RECOVERY_KEY = Condition(
    "wants-recovery-key",
    Refused,
    "{name!r} has a TPM: a disk that its guest sealed with it (BitLocker, LUKS) will ask for its recovery key",
    "have that key at hand, or suspend BitLocker in the guest; then accept this",
)
NOTHING_TO_TAKE_BACK = Condition(
    "nothing-to-take-back", NotFound, "no upgrade of the {upgrade} of {name!r} is on record to be taken back"
)
NOT_THE_LAST_UPGRADE = Condition(
    "not-the-last-upgrade",
    Refused,
    "the upgrade of the {last} of {name!r} came after that of the {upgrade}",
    "take that one back first",
)
KEPT_NVRAM_GONE = Condition("kept-nvram-gone", NotFound, "the NVRAM of {since}, {path}, is gone")
SNAPSHOT_HAS_NVRAM = Condition(
    "snapshot-has-nvram",
    Refused,
    "the snapshot {snapshot!r} of {name!r} belongs to the NVRAM {path}, which would be removed",
    "delete the snapshot first",
)
LOSES_VARIABLES = Condition(
    "loses-variables",
    Refused,
    "{name!r} would go back to its NVRAM of {since} and lose what its guest has written since: {lost}",
    "accept that this is lost",
)
STATE_GONE = Condition(
    "state-gone",
    Refused,
    "{name!r} has lost {lost: and} since its last start",
    "put it back where it was, or accept that it is made anew ({kinds})",
)
STATE_IN_USE = Condition(
    "state-in-use",
    Refused,
    "the {file} belongs to the domain {user!r}",
    "choose another file, or name none: then the domain gets one of its own",
)
NVRAM_BY_NAME = Condition(
    "nvram-by-name",
    Refused,
    "libvirt finds the NVRAM of {name!r} by the domain's name, and would give it a different one under another name",
    "seal the domain first: then its document names the file",
)
NVRAM_UNFIT = Condition(
    "nvram-unfit",
    Refused,
    "{name!r} would start without its UEFI variables: {why}",
    "move the domain to a firmware that this host has, together with its variables",
)
