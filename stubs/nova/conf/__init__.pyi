class _Libvirt:
    virt_type: str
    connection_uri: str
    swtpm_enabled: bool

class _Holdfast:
    spare_root_ports: int
    strict: bool
    history: bool
    cpu_policy: str
    seal_adopted: bool

class _Options:
    instances_path: str
    libvirt: _Libvirt
    holdfast: _Holdfast

CONF: _Options
