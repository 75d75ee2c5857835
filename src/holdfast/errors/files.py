"""What can be wrong with files of a host: documents, passwords and user-data that a user names, locks, firmware."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, InvalidDocument, NotFound, PartlyDone, Refused, UsageError

NO_FILE = Condition("no-file", NotFound, "there is no file {path}")
NO_FOLDER = Condition("no-folder", NotFound, "there is no folder {path}")
UNREADABLE = Condition("unreadable-file", Failed, "cannot read {path}: {reason}")
UNREADABLE_BY_THIS_USER = Condition(
    "unreadable-by-this-user",
    Failed,
    "cannot read {path}: {reason}",
    "do it as root, on libvirt's own host",
)
CANNOT_REMOVE_FILE = Condition("cannot-remove-file", Failed, "cannot remove {path}: {reason}")
NO_PERMISSION = Condition(
    "no-permission",
    Failed,
    "this user may not {deed} {path}",
    "do it as root, on libvirt's own host; images in an active storage pool need no root",
)
CANNOT_WRITE = Condition("cannot-write", Failed, "cannot write {path}: {reason}")
NO_TEMPORARY_FILE = Condition(
    "no-temporary-file",
    Failed,
    "no temporary file can be made: {reason}",
    "make room in the temporary folder, or set TMPDIR to another one",
)
EXISTS = Condition("file-exists", Refused, "{path} exists already", "choose another path")
ANOTHER_FILE = Condition(
    "another-file",
    Failed,
    "somebody has put another file in the place of {path}, which had just been made there",
    "choose a folder to which nobody else can write",
)
FOLDER_EXCHANGED = Condition(
    "folder-exchanged",
    Failed,
    "somebody has put another folder in the place of {folder} while {path} was being made there",
    "choose a folder to which nobody else can write",
)
LINK_OF_OTHERS = Condition(
    "link-of-others",
    Failed,
    "the symbolic link {link} on the way to {path} is not followed: {who} can exchange it",
    "name the folder to which it leads",
)
CANNOT_CREATE = Condition("cannot-create", Failed, "cannot create {path}: {reason}")
CANNOT_CREATE_THERE = Condition(
    "cannot-create-there", Failed, "cannot create {path}: no file can be made in {folder}", "choose another folder"
)
NAME_TOO_LONG = Condition(
    "name-too-long", UsageError, "the file name {start}… is too long: {size} bytes, and {most} are possible"
)
PATH_TOO_LONG = Condition(
    "path-too-long", UsageError, "the path {start}… is too long: {size} bytes, and {most} are possible"
)
NOT_AN_ARCHIVE = Condition("not-an-archive", InvalidDocument, "{path} is not an archive: {reason}")
DAMAGED_ARCHIVE = Condition("damaged-archive", InvalidDocument, "the archive {path} is damaged: {reason}")
CANNOT_PERMIT = Condition("cannot-permit", Failed, "cannot change the permissions of {path}: {reason}")

NOT_TEXT = Condition("not-text", InvalidDocument, "{path} is not {what}: line {line} is not UTF-8 text")
FILE_TOO_LARGE = Condition("file-too-large", InvalidDocument, "{path} is larger than {most} KiB")
NO_PASSWORD = Condition("no-password", UsageError, "there is no password in {path}")

NO_EDITOR = Condition(
    "no-editor",
    Failed,
    "no editor is set, and this is not a terminal",
    "set EDITOR to a command that edits a file",
)
EDITOR_NOT_STARTED = Condition(
    "editor-not-started",
    Failed,
    "the editor {editor!r} cannot be started: {reason}",
    "set EDITOR to one that can",
)
EDITOR_FAILED = Condition("editor-failed", Failed, "the editor {editor!r} ended with {status}")
TEXT_NOT_REMOVED = Condition(
    "text-not-removed",
    PartlyDone,
    "the edited text could not be removed, and may hold secrets: {path}",
    "remove it yourself",
)
EDITOR_LEFT_NO_FILE = Condition(
    "editor-left-no-file",
    Failed,
    "the editor {editor!r} replaced the text with something that is not a file: {path}",
)

NO_USER_DATA = Condition("no-user-data", NotFound, "there is no user-data {path}")
UNREADABLE_USER_DATA = Condition("unreadable-user-data", Failed, "cannot read the user-data {path}: {reason}")
USER_DATA_TOO_LARGE = Condition("user-data-too-large", UsageError, "the user-data {path} is larger than {most} MiB")
NOT_USER_DATA = Condition(
    "not-user-data",
    UsageError,
    "cloud-init would ignore {path}",
    "its first line must say what it is: #cloud-config or #!…",
)
NO_XORRISO = Condition(
    "no-xorriso", Failed, "making a cloud-init seed needs xorriso, which is not installed", "install xorriso"
)
XORRISO_FAILED = Condition("xorriso-failed", Failed, "xorriso could not make the cloud-init seed {path}: {reason}")

_INSTALL = (
    "install it (Debian, Ubuntu: ovmf, for aarch64 qemu-efi-aarch64; Fedora: edk2-ovmf, edk2-aarch64), or let a PC boot"
    " with a BIOS"
)
NO_FIRMWARE = Condition(
    "no-firmware",
    NotFound,
    "this host has no UEFI firmware for {machine}",
    _INSTALL,
)
NO_FIRMWARE_WITH_SECURE_BOOT = Condition(
    "no-firmware-with-secure-boot",
    NotFound,
    "this host has no UEFI firmware with Secure Boot for {machine}",
    _INSTALL,
)
NO_FIRMWARE_WITHOUT_SECURE_BOOT = Condition(
    "no-firmware-without-secure-boot",
    NotFound,
    "this host has no UEFI firmware without Secure Boot for {machine}",
    _INSTALL,
)
UNREADABLE_DESCRIPTOR = Condition(
    "unreadable-descriptor", Failed, "cannot read the firmware descriptor {path}: {reason}"
)
DAMAGED_DESCRIPTOR = Condition(
    "damaged-descriptor",
    Failed,
    "the firmware descriptor {path} is damaged: {reason}",
    "reinstall the package that it belongs to",
)
