"""Nova's fake libvirt, with what it lacks. Nova's tests run against it with either driver.

The fake (``nova.tests.fixtures.libvirt``, Nova 34.0.0) keeps a few facts of a document and answers every question for
it from one template: what else it was given, metadata and machine type included, is lost. The stock driver seldom asks.
These are the additions; each is what the real libvirt does, and no test is changed:

* ``libvirtError`` is the real binding's class, as the fake's own docstring has it, and error codes and flags have
  libvirt's numbers.
* A domain keeps its document. Its disks, interfaces and hostdevs get an alias and an address where they lack one, and
  keep them. A machine of the kind i440fx has its PCI bus.
* Defining a domain that exists replaces its config document; it goes on running where it runs.
* createXML over a domain that is shut off starts it with that document; afterwards it has its config document again.
* Attaching and detaching changes the documents that the flags name. A running guest lets go of a device at once, and
  Nova gets the event of it (its handler, directly: the fixture switches off the thread that reads libvirt's events).
* Metadata is written and read (setMetadata, metadata); a device is updated (updateDeviceFlags).
* A domain that is started has a new number (ID).
* What a domain that is paused is: active, and listed. ``listAllDomains(0)`` lists all.
* getURI, lookupByName, defineXMLFlags, getAllDomainStats, state and snapshotNum answer.
* Capabilities of a machine type that it doesn't have are refused with a libvirtError; they name no firmware file that
  is not here.
* An image of the fake image backend that is in a document is an (empty) file, in a folder that is there.
* The unit tests' own fakes: FakeVirtDomain has blockCopy beside blockRebase, and FakeLibvirtDriver answers as a
  connection without domains.
"""

from __future__ import annotations

import copy
import sys
import weakref
from pathlib import Path
from typing import Any

import nova.conf
from lxml import etree
from nova.tests.fixtures import libvirt as fake
from nova.tests.fixtures.libvirt_imagebackend import LibvirtImageBackendFixture
from nova.virt.libvirt import driver, event

import libvirt

_ALIASES = {"disk": "disk", "interface": "net", "hostdev": "hostdev"}


class Domain(fake.Domain):  # type: ignore[misc]
    """A domain that keeps its document, and a second one while it runs with another than its config."""

    def __init__(self, connection: Any, xml: str, running: bool = False, transient: bool = False) -> None:
        self._document = etree.fromstring(xml)
        self._config: Any = None
        super().__init__(connection, xml, running, transient)
        _complete(self._document)

    def redefine(self, xml: str) -> None:
        """A new config document; the running guest keeps its own."""
        document = etree.fromstring(xml)
        definition = self._parse_definition(xml)
        _complete(document)
        self._transient = False
        if self.isActive():
            self._config = document
        else:
            self._document, self._def = document, definition

    def start_with(self, xml: str, paused: bool) -> None:
        """Run with another document than config until it is shut off."""
        self._config, self._document = self._document, etree.fromstring(xml)
        self._def = self._parse_definition(xml)
        _complete(self._document)
        self.createWithFlags(0)
        if paused:
            self.suspend()

    def back_to_config(self) -> None:
        """It is shut off: what runs next is config."""
        if self._config is not None:
            self._document, self._config = self._config, None
            self._def = self._parse_definition(etree.tostring(self._document, encoding="unicode"))

    def XMLDesc(self, flags: int) -> str:
        """One of the two documents; that of a running domain has an id."""
        inactive = bool(flags & libvirt.VIR_DOMAIN_XML_INACTIVE) or not self.isActive()
        document = copy.copy(self._config if inactive and self._config is not None else self._document)
        if not inactive:
            document.set("id", "1")
        return etree.tostring(document, encoding="unicode", pretty_print=True)

    def attachDeviceFlags(self, xml: str, flags: int) -> None:
        """As the fake, in the documents too; with the same address in both."""
        super().attachDeviceFlags(xml, flags)
        device: Any = etree.fromstring(xml)
        for document in self._documents(flags):
            alike, devices = document.findall(f"devices/{device.tag}"), document.find("devices")
            device = copy.deepcopy(device)
            devices.insert(devices.index(alike[-1]) + 1 if alike else len(devices), device)
            _complete(document)

    def detachDeviceFlags(self, xml: str, flags: int) -> None:
        """As the fake, in the documents too; a running guest lets go at once, which an event tells."""
        super().detachDeviceFlags(xml, flags)
        for document in self._documents(flags):
            device = _find(document, etree.fromstring(xml))
            if device is not None:
                device.getparent().remove(device)
                if document is self._document and self.isActive():
                    _tell_removed(self.UUIDString(), device)

    def updateDeviceFlags(self, xml: str, flags: int) -> None:
        """Replace a device by one with the same target or MAC."""
        for document in self._documents(flags):
            new = etree.fromstring(xml)
            old = _find(document, new)
            if old is None:
                raise _error("no such device to update", libvirt.VIR_ERR_OPERATION_FAILED)
            old.getparent().replace(old, new)
            _complete(document)

    def setMetadata(self, metadata_type: int, metadata: str | None, key: str, uri: str, flags: int = 0) -> None:
        """Write, or with None remove, the element of one namespace."""
        if metadata_type != libvirt.VIR_DOMAIN_METADATA_ELEMENT:
            return
        for document in self._documents(flags):
            parent = document.find("metadata")
            if parent is None:
                parent = etree.Element("metadata")
                document.insert(0, parent)
            for old in parent.findall(f"{{{uri}}}*"):
                parent.remove(old)
            if metadata is not None:
                new: Any = etree.fromstring(metadata)
                if not new.tag.startswith("{"):
                    given, new = new, etree.Element(f"{{{uri}}}{new.tag}", new.attrib, nsmap={key: uri})
                    new.text = given.text
                    new.extend(given)
                parent.append(new)

    def metadata(self, metadata_type: int, uri: str | None, flags: int = 0) -> str:
        """The element of one namespace."""
        (document, *_) = self._documents(flags)
        found = document.find(f"metadata/{{{uri}}}*")
        if metadata_type != libvirt.VIR_DOMAIN_METADATA_ELEMENT or found is None:
            raise _error("metadata not found", libvirt.VIR_ERR_NO_DOMAIN_METADATA)
        return etree.tostring(found, encoding="unicode")

    def isActive(self) -> int:
        """Also while it is paused."""
        return int(self._state not in (fake.VIR_DOMAIN_SHUTOFF, fake.VIR_DOMAIN_SHUTDOWN))

    def isPersistent(self) -> int:
        """False for one that createXML made."""
        return int(not self._transient)

    def state(self, flags: int = 0) -> list[int]:
        """The state, for a reason that is not known."""
        return [self._state, 0]

    def stats(self) -> dict[str, Any]:
        """What getAllDomainStats says of it: its state, and the images of its disks."""
        images = [disk.find("source") for disk in self._document.iterfind("devices/disk")]
        paths = [None if image is None else image.get("file", image.get("dev")) for image in images]
        blocks = {f"block.{n}.path": path for n, path in enumerate(paths) if path is not None}
        return {"state.state": self._state, "state.reason": 0, "block.count": len(paths), **blocks}

    def snapshotNum(self, flags: int = 0) -> int:
        """How many snapshots it has."""
        return len(self._snapshots)

    def _documents(self, flags: int = 0) -> list[Any]:
        """The documents that a call with ``flags`` affects; both, where it says nothing. A running domain has two."""
        live, config = flags & libvirt.VIR_DOMAIN_AFFECT_LIVE, flags & libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if self.isActive() and self._config is None and bool(live) != bool(config):
            self._config = copy.deepcopy(self._document)
        if self._config is None:
            return [self._document]
        return [self._document] * bool(live or not config) + [self._config] * bool(config or not live)


class Connection(fake.Connection):  # type: ignore[misc]
    """A connection whose domains exist once."""

    def getURI(self) -> str:
        """The URI it was opened with."""
        return str(self._uri)

    def lookupByName(self, name: str) -> Any:
        """A domain by its name."""
        if name in self._vms:
            return self._vms[name]
        raise _error(f"Domain not found: no domain with matching name '{name}'", libvirt.VIR_ERR_NO_DOMAIN)

    def listAllDomains(self, flags: int = 0) -> list[Any]:
        """All, or those that are active or inactive."""
        which = {1: libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE, 0: libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE}
        if not flags & sum(which.values()):
            return list(self._vms.values())
        return [domain for domain in self._vms.values() if flags & which[domain.isActive()]]

    def getAllDomainStats(self, stats: int = 0, flags: int = 0) -> list[tuple[Any, dict[str, Any]]]:
        """State and images of all domains."""
        return [(domain, domain.stats()) for domain in self._vms.values()]

    def defineXML(self, xml: str) -> Any:
        """Define a domain, or its new config document."""
        existing = self._vms.get(etree.fromstring(xml).findtext("name"))
        if existing is None:
            return super().defineXML(xml)
        existing.redefine(xml)
        self._emit_lifecycle(existing, fake.VIR_DOMAIN_EVENT_DEFINED, 0)
        return existing

    def defineXMLFlags(self, xml: str, flags: int = 0) -> Any:
        """The same, without libvirt's schema."""
        return self.defineXML(xml)

    def createXML(self, xml: str, flags: Any) -> Any:
        """Start a transient domain, or one that is shut off with another document than its own."""
        existing = self._vms.get(etree.fromstring(xml).findtext("name"))
        if existing is None or existing.isActive():
            return super().createXML(xml, flags)
        existing.start_with(xml, paused=isinstance(flags, int) and bool(flags & libvirt.VIR_DOMAIN_START_PAUSED))
        return existing

    def getDomainCapabilities(self, *args: Any, **kwargs: Any) -> str:
        """As the fake; what it does not have is refused as libvirt does."""
        try:
            capabilities = etree.fromstring(super().getDomainCapabilities(*args, **kwargs))
        except Exception as error:
            raise _error(str(error), libvirt.VIR_ERR_INVALID_ARG) from error
        for loader in capabilities.findall("os/loader/value"):
            if not Path(loader.text or "").exists():
                capabilities.find("os/loader").remove(loader)  # type: ignore[union-attr]
        return etree.tostring(capabilities, encoding="unicode")

    def _mark_running(self, dom: Any) -> None:
        dom._id = self._id_counter
        super()._mark_running(dom)

    def _mark_not_running(self, dom: Any) -> None:
        super()._mark_not_running(dom)
        dom.back_to_config()


def install() -> None:
    """Put the additions into the fake; to be called before Nova's tests are imported."""
    for name in dir(fake):
        value = getattr(libvirt, name, None)
        if name.startswith("VIR_") and isinstance(value, int):
            setattr(fake, name, value)
    fake.libvirtError = libvirt.libvirtError
    fake.Domain = fake.virDomain = Domain
    fake.Connection = fake.virConnect = Connection
    LibvirtImageBackendFixture._fake_libvirt_info = _info_of_a_file
    setattr(driver.AsyncDeviceEventsHandler, "__init__", _remember_handler)  # noqa: B010 (mypy)


_handlers: weakref.WeakSet[Any] = weakref.WeakSet()
_init_handler = driver.AsyncDeviceEventsHandler.__init__


def _remember_handler(handler: Any) -> None:
    _init_handler(handler)
    _handlers.add(handler)


def _tell_removed(uuid: str, device: Any) -> None:
    for handler in list(_handlers):
        handler.notify_waiters(event.DeviceRemovedEvent(uuid, device.find("alias").get("name")))


_fake_libvirt_info = LibvirtImageBackendFixture._fake_libvirt_info


def _info_of_a_file(fixture: Any, disk: Any, *args: Any, **kwargs: Any) -> Any:
    info = _fake_libvirt_info(fixture, disk, *args, **kwargs)
    folder = Path(disk.path).parent
    if folder.parent.is_dir() and folder.is_relative_to(nova.conf.CONF.instances_path):
        folder.mkdir(exist_ok=True)
        Path(disk.path).touch()
    return info


def complete_unit_tests() -> None:
    """The same for the fakes in the unit tests' module; to be called when that is imported."""
    module: Any = sys.modules.get("nova.tests.unit.virt.libvirt.test_driver")
    if module is None:
        return
    module.FakeVirtDomain.blockCopy = lambda self, disk, xml, params=None, flags=0: None
    make = module.LibvirtConnTestCase.create_fake_libvirt_mock
    empty = Connection("qemu:///system")
    asked = ("getURI", "lookupByName", "lookupByUUIDString", "getDomainCapabilities")
    answers = {name: getattr(empty, name) for name in asked}
    module.LibvirtConnTestCase.create_fake_libvirt_mock = lambda self, **calls: make(self, **{**answers, **calls})


def _error(message: str, code: int) -> Exception:
    error: Exception = fake.make_libvirtError(libvirt.libvirtError, message, error_code=code, error_message=message)
    return error


def _find(document: Any, device: Any) -> Any:
    for found in document.iterfind(f"devices/{device.tag}"):
        if _identity(found) == _identity(device):
            return found
    return None


def _identity(device: Any) -> Any:
    """What libvirt finds a device by."""
    path, attribute = {"disk": ("target", "dev"), "interface": ("mac", "address")}.get(
        device.tag, ("source/address", "")
    )
    element = device.find(path)
    if element is None:
        return etree.tostring(device, method="c14n")
    return element.get(attribute) if attribute else {**element.attrib, "type": None}


def _complete(document: Any) -> None:
    """Give what lacks an alias or an address the fake's aliases, and addresses in the slots of the fake's template."""
    devices = document.find("devices")
    if devices is not None and document.find("devices/controller[@model='pci-root']") is None and _is_i440fx(document):
        etree.SubElement(devices, "controller", {"type": "pci", "index": "0", "model": "pci-root"})
    for tag, alias in _ALIASES.items():
        devices = document.findall(f"devices/{tag}")
        taken = {each.get("name") for each in document.iterfind(f"devices/{tag}/alias")}
        for device in devices:
            if device.find("alias") is None:
                name = next(name for n in range(1000) if (name := f"{alias}{n}") not in taken)
                taken.add(name)
                etree.SubElement(device, "alias", name=name)
            if device.find("address") is None and device.get("type") != "mdev":
                _address(document, device)


def _is_i440fx(document: Any) -> bool:
    kind = document.find("os/type")
    return kind is not None and kind.get("machine", "pc").startswith("pc") and "q35" not in kind.get("machine", "")


def _address(document: Any, device: Any) -> None:
    taken = [dict(each.attrib) for each in document.iterfind("devices/*/address")]
    for n in range(1000):
        address = _candidate(device, n)
        if address not in taken:
            etree.SubElement(device, "address", address)
            return


def _candidate(device: Any, n: int) -> dict[str, str]:
    target = device.find("target")
    if device.tag == "disk" and (target is None or target.get("bus") != "virtio"):
        return {"type": "drive", "controller": "0", "bus": "0", "unit": str(n)}
    first, functions = {"interface": (0x03, 8), "hostdev": (0x05, 1), "disk": (0x10, 1)}[device.tag]
    slot, function = first + n // functions, n % functions
    place = {"domain": "0x0000", "bus": "0x00", "slot": f"0x{slot:02x}", "function": f"0x{function}"}
    return {"type": "pci", **place}
