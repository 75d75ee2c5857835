"""``holdfast plan``: what was foretold is what the next start then does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.fact import Releasing, Started
from holdfast.errors import LibvirtRefused
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, deprecated_machine, domain_xml, has_open_firmware, running

RNG = "<rng model='virtio'><backend model='builtin'/></rng>"
BIOS = "the BIOS comes with QEMU: whether it is the same build as before is recorded nowhere"
OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"


def with_cpu(cpu: str, name: str = "a") -> str:
    return domain_xml(name).replace("<devices>", f"{cpu}<devices>")


def with_loader(path: Path | str, name: str = "a") -> str:
    os = f"<loader readonly='yes' type='pflash'>{path}</loader><nvram template='{VARS}'/></os>"
    return domain_xml(name).replace("</os>", os)


def foretold(connection: Connection, name: str = "a") -> dict[str, list[str]]:
    """Effect → sentences of ``plan reboot``, what waits in config first; not that a BIOS's build is unknown."""
    found: dict[str, list[str]] = {}
    plan = operations.plan_reboot(connection, name)
    if plan.changes:
        found["changes"] = [str(change) for change in plan.changes]
    for outlook in plan.outlooks:
        if outlook.sentence != BIOS:
            found.setdefault(str(outlook.effect), []).append(outlook.sentence)
    return found


def test_an_untouched_domain_has_nothing_to_expect(connection: Connection, uri: str) -> None:
    running(connection)
    assert foretold(connection) == {}
    assert "nothing is known that the next cold start would change" in done(uri, "plan", "reboot", "a")


def test_what_waits_in_config_is_foretold(connection: Connection, uri: str) -> None:
    domain = running(connection)
    domain.attach(RNG, CONFIG)
    result = run(uri, "plan", "reboot", "a", "-o", "json")
    assert result.exit_code == 3
    plan = json.loads(result.stdout)
    assert (plan["format"], plan["version"], plan["differs"]) == ("holdfast.plan.reboot", 1, True)
    assert [change["sentence"] for change in plan["changes"]] == ["rng is added at pci 0000:02:00.0"]
    assert "  changes: rng is added at pci 0000:02:00.0\n" in run(uri, "plan", "reboot", "a").stdout
    domain.destroy()
    domain.start(paused=True)
    assert done(uri, "plan", "reboot", "a").startswith("a (paused): nothing is known")


def test_a_device_that_the_guest_has_not_released_is_told_as_such(connection: Connection) -> None:
    domain = running(connection, extra=RNG.replace("</rng>", "<alias name='ua-rng'/></rng>"))
    domain.detach(RNG.replace("</rng>", "<alias name='ua-rng'/></rng>"), CONFIG)
    sentence = "rng ua-rng is removed, it was at pci 0000:02:00.0"
    assert foretold(connection) == {"changes": [sentence]}
    record_fact(looking(connection, "a"), Releasing("rng", "ua-rng", "ua-rng"))
    note = "rng ua-rng was detached, and the guest has not released it"
    assert foretold(connection) == {"changes": [sentence], "note": [note]}


def test_a_managed_save_image_is_told_with_what_waits_behind_it(connection: Connection) -> None:
    domain = running(connection)
    domain._handle.managedSave(0)
    assert list(foretold(connection)) == ["note"]
    domain.attach(RNG, CONFIG)
    assert foretold(connection)["changes"] == ["rng is added at pci 0000:02:00.0"]


def test_a_managed_save_image_beside_a_running_guest_would_win(connection: Connection) -> None:
    domain = running(connection)
    config = domain.xml(CONFIG)
    domain._handle.managedSave(0)
    connection._handle.createXML(config, 1)
    (sentence,) = foretold(connection)["changes"]
    assert "takes precedence" in sentence


def test_a_transient_domain_has_no_next_start(connection: Connection, uri: str) -> None:
    running(connection).undefine()
    result = run(uri, "plan", "reboot", "a")
    assert result.exit_code == 3
    assert "does not start: it is transient" in result.stdout


def test_a_running_host_model_is_what_the_next_start_gives(connection: Connection) -> None:
    domain = connection.define(with_cpu("<cpu mode='host-model'/>"))
    assert "which CPU the guest had before is not known" in foretold(connection)["unknown"][0]
    domain.start(paused=True)
    assert foretold(connection) == {}


def test_host_model_is_compared_with_the_recorded_cpu(connection: Connection) -> None:
    domain = connection.define(with_cpu("<cpu mode='host-model'/>"))
    domain.start(paused=True)
    cpu = parse(domain.xml(LIVE)).find("cpu")
    assert cpu is not None
    domain.destroy()
    record_fact(looking(connection, "a"), Started(" ".join(serialize(cpu).split()), ""))
    assert foretold(connection) == {}
    features = cpu.findall("feature[@policy='require']")[:2]
    for feature in features:
        cpu.remove(feature)
    gained = ", ".join(feature.get("name", "") for feature in features)
    record_fact(looking(connection, "a"), Started(" ".join(serialize(cpu).split()), ""))
    assert foretold(connection) == {"changes": [f"host-model is expanded anew: the CPU gains {gained}"]}


def test_a_recorded_cpu_without_a_model_tells_nothing(connection: Connection) -> None:
    connection.define(with_cpu("<cpu mode='host-model'/>"))
    record_fact(looking(connection, "a"), Started("<cpu mode='maximum'/>", ""))
    assert list(foretold(connection)) == ["unknown"]


@pytest.mark.parametrize(
    ("cpu", "effect", "words"),
    [
        ("<cpu mode='maximum'/>", "unknown", "it follows QEMU"),
        ("<cpu match='minimum'><model>Penryn</model></cpu>", "unknown", "beyond its model"),
        ("<cpu mode='host-passthrough'/>", "blocks", "cannot give the CPU host-passthrough with qemu"),
    ],
)
def test_a_cpu_that_follows_the_host_is_named(connection: Connection, cpu: str, effect: str, words: str) -> None:
    connection.define(with_cpu(cpu))
    (sentence,) = foretold(connection)[effect]
    assert words in sentence


def test_a_cpu_that_the_host_lacks_does_not_start(connection: Connection) -> None:
    domain = connection.define(with_cpu("<cpu match='exact' check='partial'><model>EPYC</model></cpu>"))
    (sentence,) = foretold(connection)["blocks"]
    missing = sentence.removeprefix("the host lacks CPU features: ")
    assert missing != sentence
    with pytest.raises(LibvirtRefused, match=missing):
        domain.start(paused=True)


def test_a_cpu_model_that_nobody_knows_does_not_start(connection: Connection) -> None:
    domain = connection.define(with_cpu("<cpu match='exact' check='partial'><model>NoSuch</model></cpu>"))
    assert foretold(connection) == {"blocks": ["libvirt cannot give the CPU NoSuch: Unknown CPU model NoSuch"]}
    with pytest.raises(LibvirtRefused):
        domain.start(paused=True)


def test_a_cpu_that_may_lack_features_is_compared_with_what_it_got(connection: Connection) -> None:
    domain = connection.define(with_cpu("<cpu match='exact' check='none'><model>EPYC</model></cpu>"))
    assert "whether the guest had them before is not known" in foretold(connection)["unknown"][0]
    (plan,) = operations.plan_host(connection)  # this host after an upgrade: what it was before is not to be asked
    assert any("whether the guest had them before is not known" in str(outlook) for outlook in plan.outlooks)
    domain.start(paused=True)
    assert foretold(connection) == {}
    domain.destroy()
    record_fact(
        looking(connection, "a"),
        Started("<cpu><model>EPYC</model><feature name='vme' policy='disable'/></cpu>", ""),
    )
    (sentence,) = foretold(connection)["changes"]
    assert sentence.startswith("the CPU loses ")


def test_another_firmware_build_is_a_change(connection: Connection, tmp_path: Path) -> None:
    code = tmp_path / "CODE.fd"
    code.write_bytes(Path(OVMF).read_bytes())
    domain = connection.define(with_loader(code))
    unknown = [f"which build of {code} the guest started with before is not known"]
    assert {**foretold(connection), "note": []} == {"unknown": unknown, "note": []}
    record_fact(looking(connection, "a"), Started("", hashlib.sha256(code.read_bytes()).hexdigest()))
    assert foretold(connection).keys() <= {"note"}
    code.write_bytes(Path(OVMF).read_bytes() + b"\0")
    assert foretold(connection)["changes"] == [f"{code} is another build than at the last start"]
    code.unlink()
    (sentence,) = foretold(connection)["blocks"]
    assert sentence.startswith(f"there is no firmware file {code} (the host has /usr/share/OVMF/")
    with pytest.raises(LibvirtRefused):
        domain.start(paused=True)


def test_a_firmware_that_libvirt_chooses_is_compared_with_the_one_it_chose(connection: Connection) -> None:
    domain = connection.define(domain_xml().replace("<os>", "<os firmware='efi'>"))
    assert "which build of /usr/share/OVMF/" in foretold(connection)["unknown"][0]
    domain.start(paused=True)
    assert "changes" not in foretold(connection)


def test_what_a_readonly_connection_is_not_told_of_the_host_is_unknown(connection: Connection, uri: str) -> None:
    """libvirt forbids it to ask: virConnectGetDomainCapabilities is for read-write connections (9.0)."""
    running(connection)
    for command in (["reboot", "a"], ["host"]):
        assert "unknown: over a read-only connection libvirt does not say" in done(uri, "-r", "plan", *command)


def test_what_is_not_there_is_said(connection: Connection, uri: str) -> None:
    assert run(uri, "plan", "reboot", "nobody").exit_code == 4
    assert run(uri, "plan", "host", "-d", "nobody").exit_code == 4
    assert run(uri, "plan", "host", "qemu+unix:///system?socket=/nowhere").exit_code == 6


def test_every_domain_is_judged_against_another_host(connection: Connection, uri: str, daemon_uri: str) -> None:
    running(connection)
    connection.define(with_cpu("<cpu mode='host-model'/>", "b"))
    connection.define(with_cpu("<cpu match='exact' check='partial'><model>EPYC</model></cpu>", "c"))
    old = deprecated_machine(connection)
    connection.define(domain_xml("d", old))
    result = run(uri, "plan", "host", daemon_uri)
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert lines[0] == "c (shut off)"
    assert lines[1].startswith("  does not start: the host lacks CPU features: vme")
    assert lines[2].startswith("1 of 4 domains would not start, or would see a change, at qemu+unix:")
    assert any(line.startswith(f"  1 × note: the machine type {old} is deprecated: QEMU ") for line in lines)
    assert not any("host-model" in line for line in lines)  # expanded there as here
    found = json.loads(run(uri, "plan", "host", daemon_uri, "-o", "json").stdout)
    assert (found["format"], found["version"]) == ("holdfast.plan.host", 1)
    assert [each["name"] for each in found["domains"] if each["differs"]] == ["c"]
    assert len(found["domains"]) == 4
    assert run(uri, "plan", "host", daemon_uri, "-d", "a", "-d", "b").exit_code == 0


def test_a_host_is_asked_once_per_kind_of_domain(
    connection: Connection, daemon_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        connection.define(domain_xml(f"a{number}", "q35" if number % 2 else "pc"))
    asked: list[str] = []
    with open_connection(daemon_uri) as other:
        original = Connection.domain_capabilities

        def count(self: Connection, *args: str | None) -> str:
            asked.append(str(args))
            return original(self, *args)

        monkeypatch.setattr(Connection, "domain_capabilities", count)
        assert len(list(operations.plan_host(connection, other))) == 6
    assert len(asked) == 2


def test_a_document_that_cannot_be_read_is_told_and_the_rest_is_judged(
    connection: Connection, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        connection.define(domain_xml(name))
    xml = Domain.xml
    monkeypatch.setattr(Domain, "xml", lambda self, *args: "<domain><" if self.name == "a" else xml(self, *args))
    told = done(uri, "plan", "host")
    assert "0 of 2 domains would not start" in told
    assert "1 × unknown: the domain 'a' could not be looked at: " in told
    states = {plan.name: plan.state for plan in operations.plan_host(connection)}
    assert states == {"a": "not known", "b": "shut off"}


def test_a_host_without_domains_is_no_error(connection: Connection, uri: str) -> None:
    assert done(uri, "plan", "host").startswith("0 of 0 domains")
    assert json.loads(done(uri, "plan", "host", "-o", "json"))["domains"] == []


def test_an_emulator_that_is_not_there_is_said(connection: Connection, tmp_path: Path) -> None:
    emulator = tmp_path / "qemu"
    emulator.symlink_to("/usr/bin/qemu-system-x86_64")
    connection.define(domain_xml(extra=f"<emulator>{emulator}</emulator>"))
    assert foretold(connection) == {}
    emulator.unlink()
    (sentence,) = foretold(connection)["blocks"]
    assert str(emulator) in sentence


def test_firmware_of_another_machine_is_not_guessed(connection: Connection, remote_uri: str, tmp_path: Path) -> None:
    connection.define(with_loader(OVMF, "listed"))
    connection.define(with_loader(tmp_path / "CODE.fd", "unlisted"))
    config = parse(connection.define(domain_xml("chosen").replace("<os>", "<os firmware='efi'>")).xml(CONFIG))
    chosen = f"{config.findtext('os/loader')} exists; its content cannot be read from here"
    if has_open_firmware(config):
        chosen = "libvirt chooses the UEFI files at each start (firmware='efi'): not readable from here"
    with open_connection(remote_uri) as other:
        assert not other.is_local
        found = {plan.name: [str(each) for each in plan.outlooks] for plan in operations.plan_host(connection, other)}
    assert found == {
        "listed": [f"{OVMF} exists; its content cannot be read from here"],
        "unlisted": [
            f"{tmp_path}/CODE.fd is not among the firmware that libvirt lists, and cannot be looked for from here"
        ],
        "chosen": [chosen],
    }


@pytest.mark.parametrize(
    "cpu",
    [
        "<cpu match='exact' check='{}'><model>Nehalem</model><feature policy='forbid' name='svm'/></cpu>",
        "<cpu match='strict' check='{}'><model>Nehalem</model></cpu>",
    ],
    ids=["forbid", "strict"],
)
def test_a_host_that_has_more_than_the_domain_allows(connection: Connection, cpu: str) -> None:
    domain = connection.define(with_cpu(cpu.format("partial")))
    if not (blocks := foretold(connection).get("blocks", [])):  # as under libvirt 11.3, which takes "strict" here
        domain.start(paused=True)
        return
    (sentence,) = blocks
    assert sentence.startswith("the host has CPU features that the domain forbids: ")
    with pytest.raises(LibvirtRefused, match="the CPU is incompatible with host CPU"):
        domain.start(paused=True)
    domain.undefine()
    domain = connection.define(with_cpu(cpu.format("none")))
    assert "blocks" not in foretold(connection)
    domain.start(paused=True)


def test_plan_host_seal_and_audit_name_the_same_parts_that_are_left_to_the_host(connection: Connection) -> None:
    smbios = "<smbios mode='host'/></os>"
    connection.define(domain_xml().replace("</os>", smbios).replace("<acpi/>", "<acpi/><hyperv mode='passthrough'/>"))
    named = {
        "the Hyper-V features are what the host offers at each start (hyperv mode='passthrough')",
        "the SMBIOS strings are the host's own (smbios mode='host')",
    }
    (plan,) = operations.plan_host(connection)
    assert named <= {outlook.sentence for outlook in plan.outlooks}
    assert named <= {part.sentence for part in operations.seal_domain(connection, "a", dry_run=True).left}
    found = [finding.sentence for finding in operations.audit_host(connection).domains[0].findings]
    assert all(any(sentence in each for each in found) for sentence in named)
