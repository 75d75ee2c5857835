"""A domain with something secret at every place of QEMU's domains that can hold it."""

from __future__ import annotations

MARK = "t0psecrt"
"""Stands in every secret of :func:`secretive_xml`, and nowhere else in it: eight characters, as VNC has them."""

FIRST, LAST = f"{MARK}-1", f"{MARK}-2"

VNC = f"<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='{MARK}'/>"
SPICE = f"<graphics type='spice' autoport='yes' listen='127.0.0.1' passwd='{MARK}'/>"

COMMAND_LINE = f"""<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <qemu:arg value='-object'/><qemu:arg value='secret,id=hf0,data={MARK}'/><qemu:env name='HF' value='{MARK}'/>
  </qemu:commandline>"""

OF_A_TOOL = f"""<tool:data xmlns:tool='https://example.org/tool'>
    <tool:os>debian</tool:os><tool:root_password>{MARK}</tool:root_password><tool:user name='b' token='{MARK}'/>
    <tool:adminPass>{MARK}</tool:adminPass><tool:passphrase>{MARK}</tool:passphrase><tool:wifi psk='{MARK}'/>
    <tool:meta key='root_password'>{MARK}</tool:meta><tool:param name='token' value='{MARK}'/>
  </tool:data>"""

SYSINFO = f"""<sysinfo type='smbios'><oemStrings><entry>io.systemd.credential:a={MARK}</entry></oemStrings></sysinfo>
  <sysinfo type='fwcfg'><entry name='opt/org.example/a'>{{"passwordHash": "{MARK}"}}</entry></sysinfo>"""


def web_disk(target: str = "vdw", name: str = "image.raw", port: int = 1) -> str:
    """A disk whose image is at a web server on this host, which nobody asks while the domain is off."""
    return f"""<disk type='network' device='disk'><driver name='qemu' type='raw'/>
      <source protocol='http' name='{name}' query='signature={MARK}'><host name='127.0.0.1' port='{port}'/>
        <cookies><cookie name='a'>{FIRST}</cookie><cookie name='b'>{LAST}</cookie></cookies>
      </source><target dev='{target}' bus='virtio'/><readonly/></disk>"""


def secretive_xml(name: str = "a", devices: str = "", *, web_port: int = 1) -> str:
    """A domain of this name, with ``devices`` besides those that have a secret."""
    ports = "".join(f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 9))
    return f"""<domain type='qemu'><name>{name}</name><metadata>{OF_A_TOOL}</metadata>
  <memory unit='MiB'>64</memory>{SYSINFO}
  <os><type machine='pc-q35-7.1'>hvm</type><smbios mode='sysinfo'/></os><features><acpi/></features>
  <devices><controller type='pci' index='0' model='pcie-root'/>{ports}<controller type='usb' model='none'/>
    <memballoon model='virtio'/><video><model type='vga'/></video>
    {VNC}{SPICE}{web_disk(port=web_port)}{devices}</devices>
  {COMMAND_LINE}</domain>"""
