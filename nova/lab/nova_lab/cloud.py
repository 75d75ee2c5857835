"""What a new cloud is given through its own APIs: users, endpoints, networks, flavors and the probe guest's images."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nova_lab import config

if TYPE_CHECKING:
    from openstack.connection import Connection

_TYPES = {
    "placement": ("placement", ""),
    "glance": ("image", ""),
    "neutron": ("network", ""),
    "nova": ("compute", "/v2.1"),
    "cinder": ("block-storage", "/v3"),
}
"""Service → its type in the catalog, and the path of its API."""

FLAVORS = {"small": (160, 1), "large": (224, 2)}
"""Name → memory in MiB, and processors. All have a root disk of 1 GiB."""

RESCUE = "probe-rescue"
"""The image for the rescue of a server that boots from a volume."""

IMAGES: dict[str, dict[str, str]] = {
    "probe": {},
    "probe-q35": {"hw_machine_type": "q35"},
    "probe-uefi": {"hw_machine_type": "q35", "hw_firmware_type": "uefi"},
    RESCUE: {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"},
}
"""Name → properties. All are the probe guest."""


def connect() -> Connection:
    """openstacksdk's connection to the lab, as its administrator."""
    import openstack

    return openstack.connect(
        auth_url=f"{config.url('keystone')}/v3",
        username="admin",
        password=config.PASSWORD,
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=config.REGION,
        compute_default_microversion="2.96",
        block_storage_default_microversion="3.70",
    )


def register(cloud: Connection) -> None:
    """The services' users and endpoints."""
    identity = cloud.identity
    project = identity.create_project(name="service", domain_id="default")
    roles = {role.name: role for role in identity.roles()}
    if "service" not in roles:
        roles["service"] = identity.create_role(name="service")
    for name, (kind, path) in _TYPES.items():
        user = identity.create_user(name=name, password=config.PASSWORD, domain_id="default")
        for role in ("admin", "service"):
            identity.assign_project_role_to_user(project, user, roles[role])
        service = identity.create_service(name=name, type=kind)
        address = config.url(name) + path
        identity.create_endpoint(service_id=service.id, interface="public", url=address, region_id=config.REGION)


def furnish(cloud: Connection, disk: Path) -> None:
    """Networks, flavors, and images of the raw ``disk``."""
    for number, name in enumerate(config.NETWORKS, 1):
        network = cloud.network.create_network(
            name=name, provider_network_type="flat", provider_physical_network=name, is_shared=True
        )
        cloud.network.create_subnet(
            network_id=network.id,
            name=name,
            ip_version=4,
            cidr=f"203.0.113.{number * 64}/26",
            enable_dhcp=False,
            gateway_ip=None,
        )
    for name, (memory, processors) in FLAVORS.items():
        cloud.compute.create_flavor(name=name, ram=memory, vcpus=processors, disk=1)
    with tempfile.TemporaryDirectory() as scratch:
        image = str(Path(scratch, "disk.qcow2"))
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", disk, image], check=True)
        for name, properties in IMAGES.items():
            cloud.create_image(
                name,
                filename=image,
                disk_format="qcow2",
                container_format="bare",
                visibility="public",
                wait=True,
                **properties,
            )


@contextmanager
def empty_image(cloud: Connection, name: str, **properties: str) -> Iterator[str]:
    """The id of an image without anything, of servers that are switched off without being asked; gone afterwards."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 20)
        image = cloud.create_image(
            name,
            filename=file.name,
            disk_format="raw",
            container_format="bare",
            visibility="public",
            wait=True,
            os_shutdown_timeout="0",
            **properties,
        )
    try:
        yield str(image.id)
    finally:
        cloud.image.delete_image(image.id)


def hosts(cloud: Connection) -> set[str]:
    """The compute nodes that are up and can be given instances."""
    up = {service.host for service in cloud.compute.services(binary="nova-compute") if service.state == "up"}
    return up & {host.name.partition(".")[0] for host in cloud.compute.hypervisors()}
