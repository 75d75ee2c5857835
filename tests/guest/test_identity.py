"""What is the guest's own and no device: UEFI variables, the TPM's seed, SMBIOS. Kept, and in a clone renewed."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.errors.firmware import STATE_GONE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.guest import Guest
from holdfast_lab.probe_image import ProbeImage
from tests.libvirt.domains import CONFIG
from tests.libvirt.past.kept import NVRAM, Kept
from tests.libvirt.state.states import lose, place
from tests.raising import raising

VARIABLE = "/sys/firmware/efi/efivars/Holdfast-12345678-1234-1234-1234-123456789abc"
GENID = "43dc0cf8-809b-4adb-9bea-a9abb5f3d90e"
SMBIOS = (
    "<sysinfo type='smbios'><system><entry name='manufacturer'>Holdfast</entry>"
    "<entry name='uuid'>{uuid}</entry></system></sysinfo>"
)

PRIMARY_KEY = (
    "80020000004100000131"  # TPM2_CreatePrimary, with one session
    "4000000b"  # in the endorsement hierarchy, whose seed is the TPM's for life
    "00000009400000090000000000"  # an empty password
    "000400000000"  # nothing secret is given
    "00180023000b00050072000000100018000b0003001000000000"  # a P-256 key that signs
    "0000"
    "00000000"
)
"""TPM 2.0 Library, part 3, 24.1: the same seed and template always make the same key."""


def variables(guest: Guest) -> str:
    guest.run("grep -q efivarfs /proc/mounts || mount -t efivarfs none /sys/firmware/efi/efivars")
    return guest.run(f"[ ! -e {VARIABLE} ] || tail -c 4 {VARIABLE}; echo")


def tpm_identity(guest: Guest) -> str:
    """The public part of the key that only this TPM can make, in hexadecimal digits."""
    command = "".join(f"\\x{PRIMARY_KEY[index : index + 2]}" for index in range(0, len(PRIMARY_KEY), 2))
    read = "dd bs=4096 count=1 <&3 2>/dev/null | hexdump -ve '1/1 \"%02x\"'; echo"
    said = guest.run(f"exec 3<>/dev/tpm0; printf '{command}' >&3; {read}")
    assert said[12:20] == "00000000", f"the TPM refuses: {said}"
    return said[36 : 40 + 2 * int(said[36:40], 16)]


def lose_variables_and_bring_them_back(connection: Connection, name: str, folder: Path) -> None:
    """Let the NVRAM be gone, and come back from its copy; of the TPM's state this libvirt shows nothing."""
    assert connection.history_settings_file is not None
    kept = Kept(Path(connection.history_settings_file), folder / "kept")
    kept.folder.mkdir(mode=0o700)
    kept.set(state=kept.folder)
    try:
        operations.copy_state(connection, [name])
        lose(place(connection, connection.find_domain(name), NVRAM))
        with raising(STATE_GONE):
            operations.start(connection, name)
        operations.restore_state(connection, name)
    finally:
        kept.settings.unlink()


def test_uefi_variables_tpm_and_smbios_are_kept_brought_back_and_in_a_clone_renewed(
    connection: Connection, probe: ProbeImage, images: Path, tmp_path: Path
) -> None:
    root = DiskSpec(path=str(images / "a.img"), format="raw", copy_from=str(probe.disk), source_format="raw")
    spec = DomainSpec(memory=256 << 20, firmware="uefi", tpm=True, disks=(root,), graphics="none")
    operations.create_domain(connection, "a", spec)
    domain = connection.find_domain("a")
    # Where a clone made from outside finds it.
    document = domain.xml(CONFIG).replace("/var/lib/libvirt/qemu/nvram", str(images))
    identity = f"<genid>{GENID}</genid>{SMBIOS.format(uuid=domain.uuid)}"
    connection.define(document.replace("</os>", f"<smbios mode='sysinfo'/></os>{identity}"))
    operations.start(connection, "a")
    guest = Guest(domain)
    try:
        guest.wait_for_boot()
        assert variables(guest) == ""
        guest.run(f"printf '\\007\\000\\000\\000kept' >{VARIABLE}")
        key, dmi = tpm_identity(guest), guest.inventory().dmi
        assert dmi["sys_vendor"] == "Holdfast"

        operations.save_domain(connection, "a")
        operations.restore_domain(connection, "a")
        guest.close()  # its console is another QEMU's now
        assert guest.inventory().dmi == dmi
        operations.destroy(connection, "a")
        lose_variables_and_bring_them_back(connection, "a", tmp_path)
        operations.rename_domain(connection, "a", "b")
        operations.start(connection, "b")
        guest.wait_for_boot()
        assert (variables(guest), tpm_identity(guest)) == ("kept", key)
        assert guest.inventory().dmi == dmi
        operations.destroy(connection, "b")
        config = parse(connection.find_domain("b").xml(CONFIG))
        assert config.findtext("genid") == GENID
    finally:
        guest.close()

    created = operations.clone_domain(connection, "b", "twin", start=True)
    twin = Guest(connection.find_domain("twin"))
    try:
        twin.wait_for_boot()
        assert variables(twin) == "kept"
        assert tpm_identity(twin) != key
        seen = twin.inventory().dmi
    finally:
        twin.close()
    assert seen == {**dmi, "product_uuid": created.uuid}
    assert parse(created.document).findtext("genid") not in (None, GENID)
    assert not re.search(domain.uuid, created.document)
