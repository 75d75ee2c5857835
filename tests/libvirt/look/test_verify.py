"""``holdfast verify`` where there is nobody to ask: it says so, at once, and changes nothing."""

from __future__ import annotations

from holdfast import operations
from holdfast.errors.look import NO_AGENT, NO_AGENT_CHANNEL
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import run
from tests.libvirt.domains import LIVE, running
from tests.raising import raising

CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


def test_without_a_channel_for_an_agent_that_is_said_with_the_way_out(connection: Connection, uri: str) -> None:
    running(connection, extra="<controller type='virtio-serial'/>").resume()
    result = run(uri, "verify", "a")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the domain 'a' has no channel for a guest agent\n")
    operations.attach_device(connection, "a", CHANNEL)
    with raising(NO_AGENT):
        operations.verify_domain(connection, "a", timeout=0.3)


def test_a_channel_of_another_name_is_not_the_agents(connection: Connection) -> None:
    running(connection, extra=CHANNEL.replace("org.qemu.guest_agent.0", "com.example.0")).resume()
    with raising(NO_AGENT_CHANNEL):
        operations.verify_domain(connection, "a")


def test_a_guest_that_cannot_answer_is_not_asked(connection: Connection, uri: str) -> None:
    domain = running(connection, extra=CHANNEL)
    assert "is paused: its guest cannot answer\nhint: 'holdfast resume a'" in run(uri, "verify", "a").stderr
    domain.resume()
    document = domain.xml(LIVE)
    assert "no agent is running in the guest" in run(uri, "-r", "verify", "a", "--timeout", "0").stderr
    assert domain.xml(LIVE) == document
    domain.destroy()
    assert "is not running\nhint: 'holdfast start a'" in run(uri, "verify", "a").stderr
    assert run(uri, "verify", "nobody").exit_code == 4


def test_a_transient_domain_is_asked_like_any_other(connection: Connection) -> None:
    domain = running(connection, extra=CHANNEL)
    domain.resume()
    domain.undefine()
    with raising(NO_AGENT):
        operations.verify_domain(connection, "a", timeout=0)
