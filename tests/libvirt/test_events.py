"""The thread in which libvirt says what happens outlives every failure, and each failure is in the log."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import holdfast
import libvirt
from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain_events import Announcement, domain_events
from holdfast.libvirtapi.events import keep_listening
from holdfast_lab.patience import PATIENCE
from tests.libvirt.domains import running


def test_the_event_loop_goes_on_after_a_failure(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    domain = running(connection)
    run, failed = libvirt.virEventRunDefaultImpl, threading.Event()

    def fails_once() -> int:
        if not failed.is_set():
            failed.set()
            raise libvirt.libvirtError("virEventRunDefaultImpl() failed")
        return run()

    monkeypatch.setattr(libvirt, "virEventRunDefaultImpl", fails_once)
    with domain.stopped() as stopped:
        domain.resume()  # its event ends the turn of the loop that is under way
        assert failed.wait(PATIENCE)
        domain.destroy()
        assert stopped.wait(PATIENCE) == "stopped"
    assert "virEventRunDefaultImpl() failed" in caplog.text


def test_whoever_listens_is_heard_after_others_have_stopped_listening_while_much_happened() -> None:
    # libvirt's driver for tests is quick enough for an event to come just while the last listener goes.
    with holdfast.connect("test:///default") as connection:
        domain = connection.find_domain("test")

        def make_noise() -> None:
            for _ in range(60):
                domain.suspend()
                domain.resume()

        for _ in range(60):
            noise = threading.Thread(target=make_noise)
            noise.start()
            while noise.is_alive():
                with domain.stopped():
                    pass
            noise.join()
            with domain.stopped() as stopped:
                domain.destroy()
                assert stopped.wait(PATIENCE) == "stopped"
            domain.start()


def test_threads_begin_to_listen_over_one_connection_at_once() -> None:
    for _ in range(20):
        with holdfast.connect("test:///default") as connection, ThreadPoolExecutor(8) as threads:
            together = threading.Barrier(8)

            def listen(handle: libvirt.virConnect, together: threading.Barrier) -> None:
                together.wait()
                keep_listening(handle)

            for listening in [threads.submit(listen, connection._handle, together) for _ in range(8)]:
                listening.result()


def test_a_listener_that_fails_is_logged_and_hears_the_next_event(
    connection: Connection, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    running(connection)
    said: list[str] = []
    stopped = threading.Event()

    def hear(heard: Announcement) -> None:
        said.append(heard.state)
        if heard.state == "shut off":
            stopped.set()
        raise ValueError(f"cannot bear that it is {heard.state}")

    with domain_events(connection, hear):
        operations.resume(connection, "a")
        operations.destroy(connection, "a")
        assert stopped.wait(PATIENCE)
    assert {"running", "shut off"} <= set(said)
    assert "cannot bear that it is running" in caplog.text
    assert capfd.readouterr().err == ""
