"""The examples of docs/python.md, run from top to bottom as one program."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.libvirtapi.connection import Connection

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_examples_of_the_python_page_run(connection: Connection, uri: str, tmp_path: Path) -> None:
    text = PAGE.read_text()
    names: dict[str, object] = {"uri": uri, "folder": str(tmp_path)}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block.group(1), str(PAGE), "exec"), names)
    assert connection.domains() == []
    assert [path.name for path in tmp_path.iterdir()] == ["data.qcow2"]
