"""What can be wrong with the firmware of a guest, with its own state (UEFI variables, what its TPM keeps), and with
copies of that.
"""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, PartlyDone, Refused, UsageError

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

NO_STATE_PLACE = Condition(
    "no-state-place",
    NotFound,
    "{file} sets no place for copies of NVRAM and TPM state",
    'write there: state = "/FOLDER" or "ssh://HOST/FOLDER"',
)
COPIES_UNUSABLE = Condition("state-copies-unusable", Failed, "cannot use the copies of state in {place}: {reason}")
COPIES_OPEN_TO_OTHERS = Condition(
    "state-copies-open",
    Failed,
    "{who} can exchange what is in {place}, so Holdfast keeps no copies of state there",
    "correct the owners and modes of that folder and those above it",
)
STATE_NOT_COPIED = Condition(
    "state-not-copied",
    PartlyDone,
    "could not copy all state of {failed:domain} ({names}); the first error: {cause}",
    "remove the cause; the next run copies what has changed",
)
BEING_WRITTEN = Condition("state-being-written", Failed, "somebody is writing to {path} just now", "copy it later")
NO_CIPHER_PROGRAM = Condition("no-cipher-program", Failed, "{program} is not installed", "install {program}")
NOT_ENCRYPTED = Condition("not-encrypted", Failed, "{program} could not encrypt to {recipient}: {reason}")
NOT_DECRYPTED = Condition("not-decrypted", Failed, "{program} could not decrypt the copy: {reason}")
IDENTITY_NEEDED = Condition(
    "identity-needed",
    UsageError,
    "the copy {copy} of {name!r} is encrypted with age",
    "name the file with the private key",
)
COPY_DAMAGED = Condition("state-copy-damaged", Failed, "the copy {copy} is damaged: {reason}", "take another one")
NO_STATE_COPY = Condition("no-state-copy", NotFound, "{place} has no copy of the {wanted} of {name!r}")
SEVERAL_STATE_COPIES = Condition(
    "several-state-copies", UsageError, "several copies of the state of {name!r} begin with {copy}", "give more of it"
)
NO_STATE_LOST = Condition(
    "no-state-lost",
    Refused,
    "{name!r} has lost no state that a copy could bring back: {why:;}",
    "what is there is never replaced: to do so all the same, move it away first",
)
STATE_ELSEWHERE = Condition(
    "state-elsewhere", Refused, "the state of the domains of {uri} is on their own host", "do it there"
)
