"""Running the command line inside the test's process, where a second connection to the embedded libvirt works."""

from __future__ import annotations

from click.testing import CliRunner, Result

from holdfast.cli.main import holdfast


def run(uri: str, *args: str) -> Result:
    """Run ``holdfast -c uri args``; the result has ``exit_code``, ``stdout``, ``stderr`` and ``output`` (both)."""
    return CliRunner().invoke(holdfast, ["-c", uri, *args], prog_name="holdfast")


def done(uri: str, *args: str) -> str:
    """Run a command that must succeed; return its standard output."""
    result = run(uri, *args)
    assert result.exit_code == 0, result.output
    return result.stdout
