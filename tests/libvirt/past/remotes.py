"""Remotes as other hosts have them: git behind a real sshd, and behind a web server."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from holdfast_lab.enclosure import ORDINARY
from tests.libvirt.past.two_histories import new_remote
from tests.libvirt.sshd import ssh_settings

_HTTP = {"CONTENT_TYPE": "Content-Type", "HTTP_CONTENT_ENCODING": "Content-Encoding", "GIT_PROTOCOL": "Git-Protocol"}


@contextmanager
def behind_ssh(folder: Path) -> Iterator[str]:
    """The URL of a remote that an ordinary user has, who refuses rewritten refs, behind an sshd of its own."""
    folder.chmod(0o755)
    remote = new_remote(folder / "remote.git")
    subprocess.run(["chown", "-R", ORDINARY, str(remote)], check=True)
    become = ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")
    settings = ssh_settings(folder, "backup.example", ORDINARY, become)
    shutil.chown(folder / "host", ORDINARY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_SSH_COMMAND", f"ssh -F {settings}")
        yield f"ssh://backup.example{remote}"


class _Git(BaseHTTPRequestHandler):
    """``git http-backend`` for one request (RFC 3875)."""

    folder: Path
    password = ""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        said = {name: self.headers.get(header, "") for name, header in _HTTP.items()}
        environment = {
            **os.environ,
            **said,
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": "somebody",
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """It is quiet."""


@contextmanager
def behind_http(folder: Path) -> Iterator[str]:
    """The URL of a remote that refuses rewritten refs, behind a web server."""
    new_remote(folder / "remote.git")
    handler = type("Git", (_Git,), {"folder": folder})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://anna:geheim@127.0.0.1:{server.server_port}/remote.git"
        finally:
            server.shutdown()
            thread.join()
