"""Encrypting to a public key, and decrypting again, by the programs age and gpg."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from holdfast.errors.firmware import NO_CIPHER_PROGRAM, NOT_DECRYPTED, NOT_ENCRYPTED

_LIMIT = 60.0
"""Seconds for encrypting, which nobody is asked anything for; it takes milliseconds."""
_GPG_ALONE = ("--homedir", "/", "--no-options", "--no-keyring", "--no-random-seed-file", "--lock-never")
"""Without anybody's keys and settings, and without leaving a file (2.2)."""


def cipher_for(recipient: str) -> str:
    """The program that ``recipient`` is a public key of: "gpg" for the path of a file, "age" for any other text."""
    if not recipient:
        return ""
    return "gpg" if recipient.startswith("/") else "age"


def encrypted(content: bytes, recipient: str) -> bytes:
    """``content``, for whoever has the private key of ``recipient``. Raises NO_CIPHER_PROGRAM, NOT_ENCRYPTED."""
    command = ["age", "--encrypt", "--recipient", recipient]
    if cipher_for(recipient) == "gpg":
        quietly = ("--batch", "--no-tty", "--quiet", "--trust-model", "always")
        command = ["gpg", *_GPG_ALONE, *quietly, "--recipient-file", recipient, "--encrypt"]
    done = _run(command, content, _LIMIT)
    if done.returncode != 0:
        raise NOT_ENCRYPTED(program=command[0], recipient=recipient, reason=_last_line(done))
    return done.stdout


def decrypted(content: bytes, cipher: str, identity: str = "") -> bytes:
    """``content`` as it was: with the private key in age's file ``identity``, or one in this user's keyring of gpg.

    The programs ask on the terminal for what else they need. Raises NO_CIPHER_PROGRAM, NOT_DECRYPTED.
    """
    command = ["gpg", "--quiet", "--decrypt"] if cipher == "gpg" else ["age", "--decrypt", "--identity", identity]
    done = _run(command, content)
    if done.returncode != 0:
        raise NOT_DECRYPTED(program=cipher, reason=_last_line(done))
    return done.stdout


def _run(command: Sequence[str], content: bytes, limit: float | None = None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, input=content, capture_output=True, timeout=limit)
    except FileNotFoundError as error:
        raise NO_CIPHER_PROGRAM(program=command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise NOT_ENCRYPTED(program=command[0], recipient=command[-1], reason="it does not end") from error


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """What the program said; age ends with where to report what is unexpected."""
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    said = [line.partition(": ")[2] for line in lines if ": " in line and "report unexpected" not in line]
    return said[-1].removeprefix("error: ") if said else f"it ended with {done.returncode}"
