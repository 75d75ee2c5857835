"""What Nova asked for before, from the record in the domain: an interrupted resize, an operator's property."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nova import objects  # isort: skip
from holdfast.operations.manager.instance import NovaRequest
from holdfast_nova.before import before_request

objects.register_all()
IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
UUID = "6f0c1a52-2c3e-4b1f-9f0e-0d8f4a3b2c1d"
PROPERTIES = {"hw_machine_type": "pc-q35-7.2", "hw_disk_bus": "virtio"}


def instance(vcpus: int = 2, memory: int = 512, kernel: str = "", os_type: str | None = None) -> Any:
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
    recorded = {"image_hw_machine_type": "now"}
    return objects.Instance(
        uuid=UUID, flavor=flavor, system_metadata=recorded, kernel_id=kernel, ramdisk_id=kernel, os_type=os_type
    )


def image(**properties: str) -> Any:
    """The image that it is of, with these properties."""
    return objects.ImageMeta.from_dict({"id": IMAGE, "properties": properties})


def request(vcpus: str = "2", memory: str = "512", **properties: str) -> NovaRequest:
    """What its domain records."""
    return NovaRequest("now", vcpus, memory, {"hw:cpu_sockets": "1"}, IMAGE, properties)


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


@pytest.mark.parametrize("vcpus", ["", "two", "²", "-1", "9" * 5000])
def test_flavor_whose_size_cannot_be_read_back_is_no_change(vcpus: str) -> None:
    assert before_request(instance(vcpus=4), image(**PROPERTIES), request(vcpus, **PROPERTIES), None) is None


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


def rebuilt(
    now: Any, *, disk_format: str = "qcow2", was_format: str | None = "qcow2", of: Any = None, **was: Any
) -> Any:
    """What was before a rebuild of another image."""
    image_meta = image(**(of or {}))
    image_meta.disk_format = disk_format
    of_another = {"image": "another", "disk_format": was_format, **was}
    recorded = dataclasses.replace(request(), **of_another)
    return before_request(now, image_meta, recorded, None)


@pytest.mark.parametrize(("was", "now"), [("iso", "qcow2"), ("qcow2", "iso")])
def test_root_disk_of_an_iso_was_a_cd(was: str, now: str) -> None:
    assert rebuilt(instance(), disk_format=now, was_format=was).image_meta.disk_format == was


@pytest.mark.parametrize(("was", "now"), [("raw", "qcow2"), ("iso", "iso"), (None, "iso")])
def test_another_format_of_a_disk_is_no_other_device_and_one_that_is_not_known_is_not_guessed(
    was: str | None, now: str
) -> None:
    assert rebuilt(instance(), disk_format=now, was_format=was) is None


FILES = {"kernel": f"/var/lib/nova/instances/{UUID}/kernel", "ramdisk": f"/var/lib/nova/instances/{UUID}/ramdisk"}


def test_image_without_a_kernel_comes_after_one_with_it_and_the_other_way_round() -> None:
    before = rebuilt(instance(), image="", **FILES)  # as of a volume that says nothing of an image
    assert (bool(before.instance.kernel_id), bool(before.instance.ramdisk_id)) == (True, True)
    before = rebuilt(instance(kernel=IMAGE))
    assert (before.instance.kernel_id, before.instance.ramdisk_id) == ("", "")
    assert rebuilt(instance(kernel=IMAGE), **FILES) is None


def test_kernel_of_an_operator_is_none_of_nova() -> None:
    assert rebuilt(instance(), kernel="/boot/vmlinuz") is None
    assert before_request(instance(kernel=IMAGE), image(), request(), None) is None


@pytest.mark.parametrize(("was", "now"), [("windows", "linux"), ("linux", "windows"), ("windows", None)])
def test_guest_was_of_another_system(was: str, now: str | None) -> None:
    properties = {"os_type": now} if now else {}
    before = rebuilt(instance(os_type=now), of=properties, properties={"os_type": was})
    assert before.instance.os_type == was


def test_properties_that_are_not_recorded_are_told(caplog: pytest.LogCaptureFixture) -> None:
    assert rebuilt(instance(), properties=None) is None
    assert "The properties of the previous image are not recorded" in caplog.text


def test_volumes_of_the_copy_write_nothing_to_the_database() -> None:
    class Volume(dict[str, Any]):
        saved = 0

        def save(self) -> None:
            self.saved += 1

    volume = Volume()
    disks: Any = {"block_device_mapping": [volume]}
    before = before_request(instance(vcpus=4), image(), request(), disks)
    assert before is not None
    copied: Any = before.block_device_info
    copied["block_device_mapping"][0].save()
    assert (volume.saved, copied["block_device_mapping"][0].saved) == (0, 0)
