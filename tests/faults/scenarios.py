"""The commands of the matrix: at least one for every command that changes something.

``{images}``, ``{tmp}``, ``{history}`` and ``{remote}`` in them are folders of the host.
"""

from __future__ import annotations

from dataclasses import dataclass

UUID = "11111111-2222-4333-8444-555555555555"
MAC = "52:54:00:00:00:01"
NVRAM = "/var/lib/libvirt/qemu/nvram/a_VARS.fd"

OFF: tuple[str, ...] = ()
PAUSED = ("start --paused a",)
RUNS = ("start a",)
STARTED_ONCE = (*PAUSED, "destroy a")
SAVED = (*PAUSED, "save a")
RESCUED = (*PAUSED, "rescue a --force --format raw --image {images}/other.img")
MOVED = ("mv {images}/root.qcow2 {images}/moved.qcow2", "virsh -q pool-refresh default")
"""An image that the pool knows, as it does once libvirtd has started anew."""
RECORDED = ("history record",)
LOST = tuple(f"rm -r {{history}}/{name}" for name in ("HEAD", "config", "objects", "refs"))
DAMAGE = f"cp {{tmp}}/password {{history}}/refs/domains/{UUID}"
EDITOR = r"sed -i '/<title>/d;s,<uuid>,<title>t</title>\n&,'"


@dataclass(frozen=True)
class Scenario:
    """One command on the domain "a", which is shut off where ``prepare`` does nothing.

    ``words``    the command line after ``holdfast``
    ``prepare``  command lines that are run before
    ``firmware``  "uefi" for a domain that has NVRAM, "2M" for one of 2 MB with keys
    ``editor``   what $EDITOR is
    ``note``     what tells it from another scenario of the same words
    ``code``     its exit code, undisturbed
    ``graphics``  true for a domain with graphics that ask for a password
    ``foreign``  true for a domain that was not adopted
    ``ends``    what the audit says before, and as long as the command has not ended it
    ``deletes``  true where the domain goes: once that has begun, it need not start any more
    ``entries``  true where it is about the entries of the history, here and at its remote
    """

    words: str
    prepare: tuple[str, ...] = OFF
    firmware: str = ""
    editor: str = ""
    note: str = ""
    code: int = 0
    graphics: bool = False
    foreign: bool = False
    ends: str = ""
    deletes: bool = False
    entries: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        words = self.words.replace("{images}/", "").replace("{tmp}/", "").replace("{remote}", "remote")
        return " ".join(filter(None, [words, self.note]))


_CREATE = "create b --memory 64MiB --graphics none"
_MORE = "disk attach a path={images}/more.qcow2,format=qcow2"
_ON_SCSI = f"{_MORE},bus=scsi,target=sdb"
_COPY = "path={images}/new.qcow2,copy-from={images}/root.qcow2,source-format=qcow2"
_NEW = "path={images}/new.qcow2,size=1MiB"


def _all() -> list[Scenario]:
    return [
        # domain
        Scenario(f"{_CREATE} --disk {_NEW}"),
        Scenario(f"{_CREATE} --disk {_NEW} --disk size=1MiB --start"),
        Scenario(f"{_CREATE} --disk {_COPY} --firmware uefi"),
        Scenario(f"{_CREATE} --disk {_NEW} --cloud-init {{tmp}}/user-data"),
        Scenario("create --from-xml {tmp}/b.xml"),
        Scenario("set a --memory 48MiB", PAUSED, note="paused"),
        Scenario("set a --title t", PAUSED, note="paused"),
        Scenario("set a --graphics-password {tmp}/password", PAUSED, graphics=True, note="paused"),
        Scenario("set a --max-vcpus 2 --boot vda --autostart"),
        Scenario("edit a", editor=EDITOR),
        Scenario("rename a b"),
        Scenario("clone a b"),
        Scenario("clone a b --start"),
        Scenario("clone a b", firmware="uefi", prepare=(*PAUSED, "destroy a"), note="uefi"),
        Scenario("delete a"),
        Scenario("delete a --storage", deletes=True),
        Scenario("delete a --storage", (_MORE,), note="of two disks", deletes=True),
        Scenario("delete a --force", PAUSED, note="paused"),
        Scenario("upgrade machine a pc-q35-7.1 --lower"),
        Scenario("upgrade firmware a", STARTED_ONCE, firmware="2M"),
        Scenario("upgrade firmware a --back", (*STARTED_ONCE, "upgrade firmware a"), firmware="2M"),
        Scenario("upgrade certificates a", STARTED_ONCE, firmware="2M"),
        Scenario("upgrade certificates a --back", (*STARTED_ONCE, "upgrade certificates a"), firmware="2M"),
        Scenario("history copy-state", STARTED_ONCE, firmware="uefi"),
        Scenario(
            "history restore-state a",
            (*STARTED_ONCE, "history copy-state", f"mv {NVRAM} {{tmp}}/lost.fd"),
            firmware="uefi",
            ends="its NVRAM is gone",
        ),
        Scenario("seal a --add-serials --add-ports 2"),
        Scenario("unseal a --cpu"),
        Scenario("upgrade cpu a --feature -aes"),
        Scenario("adopt a", foreign=True),
        Scenario("adopt a", PAUSED, foreign=True, note="paused"),
        Scenario("adopt --all", foreign=True),
        Scenario("release a"),
        # power
        Scenario("start a"),
        Scenario("start a", SAVED, note="saved"),
        Scenario("start a", firmware="uefi", note="uefi"),
        Scenario("shutdown a --timeout 0", RUNS, code=5),
        Scenario("destroy a", PAUSED),
        Scenario("destroy a", RESCUED, note="rescued"),
        Scenario("reboot a", RUNS),
        Scenario("reboot a --hard", PAUSED),
        Scenario("reset a", RUNS),
        Scenario("suspend a", RUNS),
        Scenario("resume a", PAUSED),
        Scenario("rescue a --format raw --image {images}/other.img"),
        Scenario("rescue a --force --format raw --image {images}/other.img", PAUSED, note="paused"),
        Scenario(
            "rescue a --format raw --image {images}/other.img", (*PAUSED, "destroy a"), firmware="uefi", note="uefi"
        ),
        Scenario("unrescue a", RESCUED),
        Scenario("resume-host", (*RUNS, "crash a"), ends="it is recorded to run, and is off"),
        Scenario("repair a"),
        Scenario("repair a --source vda={images}/moved.qcow2", MOVED),
        Scenario("save a", PAUSED),
        Scenario("restore a", SAVED),
        Scenario("discard-save a", SAVED),
        # hardware
        Scenario(f"disk attach a {_NEW}"),
        Scenario(f"disk attach a {_NEW},role=swap", PAUSED, note="paused"),
        Scenario(f"disk attach a {_NEW}", foreign=True, note="of others"),
        Scenario("disk attach a size=1MiB", PAUSED, note="in the pool"),
        Scenario(f"disk attach a {_NEW},bus=scsi", PAUSED, note="with a controller"),
        Scenario("disk detach a vdb", (_MORE,)),
        Scenario("disk detach a sdb", (_ON_SCSI,), note="with its controller"),
        Scenario("disk detach a vdb --timeout 0", (_MORE, *PAUSED), code=5),
        Scenario("disk extend a vda 2MiB"),
        Scenario("disk extend a vda 2MiB", PAUSED, note="paused"),
        Scenario("disk media eject a sda", PAUSED),
        Scenario("disk media insert a sda {images}/other.img", PAUSED),
        Scenario("disk move a vda {images}/moved.qcow2 --delete-source"),
        Scenario("disk move a vda {images}/moved.qcow2 --delete-source", PAUSED, note="paused"),
        Scenario("disk set a vda --read-iops-sec 500", PAUSED),
        Scenario("disk swap a vda {images}/more.qcow2,format=qcow2 --accept"),
        Scenario("disk swap a vda {images}/more.qcow2,format=qcow2 --copy-content", PAUSED, note="paused"),
        Scenario("interface attach a user", PAUSED),
        Scenario(f"interface detach a {MAC}"),
        Scenario(f"interface set a {MAC} --link down", PAUSED),
        Scenario(f"{_MORE}", PAUSED, note="paused"),
        Scenario("device attach a {tmp}/watchdog.xml"),
        Scenario("device attach a {tmp}/scsi.xml", PAUSED, note="with a controller"),
        Scenario("device detach a ua-dog", ("device attach a {tmp}/watchdog.xml",)),
        # history
        Scenario("rollback a last-start --accept", (*STARTED_ONCE, f"interface detach a {MAC}")),
        Scenario(
            "rollback a last-start --accept",
            (*STARTED_ONCE, f"interface detach a {MAC}"),
            firmware="uefi",
            graphics=True,
            note="uefi",
        ),
        Scenario("history restore a", ("history record", "virsh -q undefine a")),
        Scenario("history restore a", ("delete a",), note="deleted by us"),
        Scenario("history forget a", ("delete a",)),
        Scenario("history record", entries=True),
        Scenario("history push {remote}", RECORDED, entries=True),
        Scenario(
            "history push {remote}",
            (*RECORDED, "history push {remote}", "set a --title t"),
            entries=True,
            note="again",
        ),
        Scenario("history pull {remote}", (*RECORDED, "history push {remote}", *LOST), entries=True),
        Scenario("history repair", (*RECORDED, DAMAGE), entries=True, code=5),
        # hosts
        Scenario("export a {tmp}/a.tar --all-disks", STARTED_ONCE, firmware="uefi"),
        Scenario(
            "import {tmp}/a.tar --accept-host",
            (*STARTED_ONCE, "export a {tmp}/a.tar --all-disks", "delete a --storage"),
            firmware="uefi",
        ),
        Scenario("evacuate a qemu:///system --from {remote} --source-is-down hv9 --accept-host", ("on-hv9 a",)),
        # snapshots
        Scenario("snapshot create a s"),
        Scenario("snapshot create a s", PAUSED, note="paused"),
        Scenario("snapshot create a s --external --no-memory", PAUSED, note="paused"),
        Scenario("snapshot delete a s", ("snapshot create a s",)),
        Scenario("snapshot revert a s --accept", ("snapshot create a s", "set a --title t")),
        Scenario("snapshot revert a s --accept", (*PAUSED, "snapshot create a s", "destroy a"), note="to a paused one"),
    ]


SCENARIOS = {each.name: each for each in _all()}

EXEMPT = {
    "history copy-state": "a copy without its name is none, and goes with the next one; so is a folder without copies",
    "set a --max-vcpus 2 --boot vda --autostart": "these are several changes, and each is complete by itself",
    "repair a --source vda=moved.qcow2": "what is mended is complete by itself, with or without the start that follows",
}
"""Scenario → why nothing need name what is left of it in between; the table counts its points as exempt."""
