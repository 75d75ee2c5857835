class Flavor:
    name: str
    vcpus: int
    memory_mb: int
    swap: int
    extra_specs: dict[str, str]
    def __init__(self, **fields: object) -> None: ...
