"""What Nova asked for before, from the record in the domain: an interrupted resize, an operator's property."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nova import objects  # isort: skip
from holdfast.operations.nova_instance import Request
from holdfast_nova.before import before_request

objects.register_all()
IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
PROPERTIES = {"hw_machine_type": "pc-q35-7.2", "hw_disk_bus": "virtio"}


def instance(vcpus: int = 2, memory: int = 512) -> Any:
    """An instance as Nova has it in memory."""
    flavor = objects.Flavor(
        name="now",
        vcpus=vcpus,
        memory_mb=memory,
        extra_specs={"hw:cpu_sockets": "1"},
        swap=0,
        root_gb=1,
        ephemeral_gb=0,
    )
    uuid, recorded = "6f0c1a52-2c3e-4b1f-9f0e-0d8f4a3b2c1d", {"image_hw_machine_type": "now"}
    return objects.Instance(uuid=uuid, flavor=flavor, system_metadata=recorded)


def image(**properties: str) -> Any:
    """The image that it is of, with these properties."""
    return objects.ImageMeta.from_dict({"id": IMAGE, "properties": properties})


def request(vcpus: str = "2", memory: str = "512", **properties: str) -> Request:
    """What its domain records."""
    return Request("now", vcpus, memory, {"hw:cpu_sockets": "1"}, IMAGE, properties)


def test_what_is_as_it_was_recorded_has_no_before() -> None:
    assert before_request(instance(), image(**PROPERTIES), request(**PROPERTIES), None) is None


def test_flavor_that_a_broken_resize_left_behind_is_the_one_before_and_the_instance_stays_as_it_is() -> None:
    now = instance(vcpus=4, memory=1024)
    before = before_request(now, image(**PROPERTIES), request(**PROPERTIES), None)
    assert before is not None
    before.instance.system_metadata["image_hw_machine_type"] = "before"
    assert now.system_metadata == {"image_hw_machine_type": "now"}
    assert (before.instance.flavor.vcpus, before.instance.flavor.memory_mb) == (2, 512)
    assert (now.flavor.vcpus, now.flavor.memory_mb) == (4, 1024)


def test_property_that_an_operator_changed_is_as_before_and_one_that_was_not_there_is_not() -> None:
    wanted = image(**{**PROPERTIES, "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"})
    before = before_request(instance(), wanted, request(**PROPERTIES), None)
    assert before is not None
    assert before.image_meta.properties.hw_disk_bus == "virtio"
    assert "hw_scsi_model" not in before.image_meta.properties
    assert wanted.properties.hw_disk_bus == "scsi"


def test_machine_type_of_the_same_family_is_not_generated_again() -> None:
    before = before_request(
        instance(), image(**{**PROPERTIES, "hw_machine_type": "pc-q35-8.0"}), request(**PROPERTIES), None
    )
    assert before is not None
    assert (before.machine, before.image_meta.properties.hw_machine_type) == ("pc-q35-7.2", "pc-q35-8.0")


@pytest.mark.parametrize(("now", "recorded"), [({}, PROPERTIES), (PROPERTIES, {})])
def test_what_nova_fills_in_by_itself_is_no_wish(now: dict[str, str], recorded: dict[str, str]) -> None:
    assert before_request(instance(), image(**now), request(**recorded), None) is None


def test_property_that_another_image_does_not_have_is_left() -> None:
    recorded = dataclasses.replace(request(**PROPERTIES), image="another")
    before = before_request(instance(), image(), recorded, None)
    assert before is not None
    assert before.image_meta.properties.hw_disk_bus == "virtio"


def test_volumes_of_the_copy_write_nothing_to_the_database() -> None:
    class Volume(dict[str, Any]):
        saved = 0

        def save(self) -> None:
            self.saved += 1

    volume = Volume()
    before = before_request(instance(vcpus=4), image(), request(), {"block_device_mapping": [volume]})
    assert before is not None
    before.block_device_info["block_device_mapping"][0].save()
    assert (volume.saved, before.block_device_info["block_device_mapping"][0].saved) == (0, 0)
