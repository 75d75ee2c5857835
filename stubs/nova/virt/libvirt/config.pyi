class LibvirtConfigObject:
    root_name: str
    def to_xml(self, pretty_print: bool = True) -> str: ...

class LibvirtConfigGuestMetaNovaInstance(LibvirtConfigObject): ...
class LibvirtConfigGuestDevice(LibvirtConfigObject): ...

class LibvirtConfigGuestDisk(LibvirtConfigGuestDevice):
    source_type: str
    source_path: str
    driver_format: str | None
    target_dev: str
    target_bus: str | None

class LibvirtConfigGuest(LibvirtConfigObject):
    devices: list[LibvirtConfigGuestDevice]
