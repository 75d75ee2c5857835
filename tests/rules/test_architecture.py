"""The architecture rules hold for every module, and each of them can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rules import architecture
from tests.rules.architecture import ROOT, RULES, Module, modules

Rule = Callable[[Module], Iterator[str]]

BREAKS = [
    (architecture.every_python_starts_as_before, "holdfast_nova.importable", "from oslo_log import log"),
    (architecture.host_files_only_in_hostfiles, "holdfast.operations.domain.create", "open('/etc/passwd')"),
    (architecture.host_files_only_in_hostfiles, "holdfast.operations.domain.create", "import subprocess"),
    (architecture.host_files_only_in_hostfiles, "holdfast.operations.domain.create", "from os import path"),
    (architecture.host_files_only_in_hostfiles, "holdfast.operations.domain.create", "import os\nos.remove('x')"),
    (architecture.host_files_only_in_hostfiles, "holdfast.operations.domain.create", "image.read_bytes()"),
    (architecture.host_files_only_in_hostfiles, "holdfast.cli.common", "import click\nkind = click.File('r')"),
    (architecture.host_files_only_in_hostfiles, "holdfast_nova.driver", "Path('unrescue.xml').chmod(0o600)"),
    (
        architecture.documents_are_defined_in_three_places,
        "holdfast_nova.driver",
        "self._host.write_instance_config(xml)",
    ),
    (
        architecture.documents_are_defined_in_three_places,
        "holdfast.operations.power.start",
        "connection.define(document)",
    ),
    (architecture.documents_are_defined_in_three_places, "holdfast.cli.domain.create", "again = connection.define"),
    (architecture.undefine_belongs_to_delete, "holdfast_nova.driver", "guest._domain.undefineFlags()"),
    (
        architecture.whoever_takes_the_lock_records_what_was_done,
        "holdfast.operations.power.start",
        "from holdfast.hostfiles.lock import domain_lock",
    ),
    (architecture.xml_is_not_made_of_strings, "holdfast_nova.driver", "f\"<disk type='{kind}'>\""),
    (architecture.undefine_belongs_to_delete, "holdfast.operations.domain.create", "domain.undefine()"),
    (architecture.xml_is_not_made_of_strings, "holdfast.operations.power.start", "f\"<disk type='{kind}'>\""),
    (architecture.xml_is_not_made_of_strings, "holdfast.operations.power.start", "'<disk>%s</disk>' % source"),
    (architecture.xml_is_read_by_the_parser, "holdfast.operations.power.start", "'<rescue ' in ours"),
    (architecture.xml_is_read_by_the_parser, "holdfast.domainxml.metadata", "f'<{PREFIX}:disk' not in document"),
    (architecture.xml_is_read_by_the_parser, "holdfast.domainxml.device", "text.find('<metadata>')"),
    (architecture.xml_is_read_by_the_parser, "holdfast.domainxml.device", "re.compile(rf'</{tag}>')"),
    (architecture.xml_is_read_by_the_parser, "holdfast.domainxml.device", r"re.sub(r'<\?xml\s', '', text)"),
    (architecture.xml_is_read_by_the_parser, "holdfast_nova.driver", "xml.partition('</disk>')"),
    (architecture.documents_are_shown_without_secrets, "holdfast.operations.power.start", "text = serialize(domain)"),
    (architecture.documents_are_shown_without_secrets, "holdfast.operations.domain.make", "Created(serialize(new))"),
    (architecture.documents_are_shown_without_secrets, "holdfast.operations.domain.make", "made = Shown(text)"),
    (architecture.documents_are_shown_without_secrets, "holdfast.domainxml.make.clone", "return indented(domain)"),
    (architecture.documents_are_shown_without_secrets, "holdfast.cli.look.show", "click.echo(domain.xml(definition))"),
    (
        architecture.documents_are_shown_without_secrets,
        "holdfast.operations.devices.attach",
        "class Attached(Result):\n    device: str",
    ),
    (architecture.modules_are_short, "holdfast.cli.main", "pass\n" * 401),
    (architecture.functions_are_short, "holdfast.cli.main", "def run():\n    '''R.'''\n" + "    pass\n" * 50),
    (architecture.modules_are_named_for_what_they_hold, "holdfast.utils", ""),
    (architecture.errors_are_told_by_their_condition, "tests.xml.test_x", "pytest.raises(Refused, match='in use')"),
    (architecture.public_names_have_docstrings, "holdfast.cli.main", "'''Says.'''\ndef run():\n    pass"),
    (
        architecture.public_names_have_docstrings,
        "holdfast.cli.main",
        "'''S.'''\nclass A:\n    '''A.'''\n    def b(self): ...",
    ),
    (architecture.public_names_have_docstrings, "bench.run", "x = 1"),
]

KEEPS = [
    ("holdfast.cli.power.power", "'''Power.'''\nfrom holdfast.operations.power.start import start"),
    ("holdfast.libvirtapi.connection", "'''One.'''\nimport libvirt\nopener = libvirt.open(uri)"),
    ("holdfast.hostfiles.images.image", "'''Images.'''\nfrom pathlib import Path\nhead = Path('x').open('rb')"),
    ("holdfast.operations.domain.make", "'''<domain type='kvm'/> made.'''\nconnection.define(document)"),
    ("holdfast.operations.devices.attach", "'''A.'''\ndomain.attach(serialize(request), targets[0])"),
    ("holdfast.operations.devices.detach", "'''A.'''\nclass Detached(Result):\n    '''A.'''\n    device: Shown"),
    ("holdfast.operations.domain.delete", "'''Delete.'''\ndomain.undefine()"),
    ("holdfast.operations.devices.attach", "'''Attach.'''\nmessage = f'expected <disk>, found <{tag}>'"),
    ("holdfast.domainxml.sides", "'''One.'''\nimport re\nre.compile('(?P<path>[a-z]+)(?<!ab)$')\n'<' in text"),
    ("holdfast_nova.driver", "'''It.'''\nimport nova.conf\nfrom holdfast.libvirtapi.domain import Domain"),
    ("tests.libvirt.test_x", "pytest.raises(LibvirtRefused, match='its words')\npytest.raises(Refused)"),
    ("tests.nova.test_surface", "from nova.virt.libvirt import driver"),
    ("holdfast_lab.regenerate", "'''The control.'''\nimport libvirt, subprocess\nconnection.define(document)"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds_everywhere(rule: Rule) -> None:
    broken = [f"{module.name}: {how}" for module in modules() for how in rule(module)]
    assert not broken, "\n".join([str(rule.__doc__), *broken])


@pytest.mark.parametrize(("rule", "name", "source"), BREAKS)
def test_rule_finds_what_breaks_it(rule: Rule, name: str, source: str) -> None:
    assert list(rule(Module.of(name, source)))


def test_every_rule_has_a_source_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BREAKS} == set(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(("name", "source"), KEEPS)
def test_rule_leaves_good_source_alone(rule: Rule, name: str, source: str) -> None:
    assert not list(rule(Module.of(name, source)))


def test_folders_are_small() -> None:
    files = [file.relative_to(ROOT) for name in ("src", "lab", "nova") for file in ROOT.joinpath(name).rglob("*.py")]
    assert not list(architecture.folders_are_small(files))
    assert len(set(files)) > 300


def test_a_folder_with_23_modules_is_found() -> None:
    many = [
        Path(folder, f"{number}.py")
        for folder in ("nova/src", "src/holdfast/domainxml/elements")
        for number in range(23)
    ]
    assert list(architecture.folders_are_small(many)) == ["nova/src has 23 modules; give it rooms"]
    assert not list(architecture.folders_are_small(many[1:]))


def test_what_the_page_points_at_is_there() -> None:
    table = [
        line.split("|")[2] for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if line.startswith("| ")
    ]
    named = [name for cell in table for name in re.findall(r"`([^`<]+)`", cell)]
    assert len(named) > 20
    assert [name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "src/holdfast"))] == []


def test_all_sources_are_judged() -> None:
    names = {module.name for module in modules()}
    assert {
        "holdfast",
        "holdfast.errors",
        "holdfast_nova.driver",
        "holdfast_lab.enclosure",
        "tests.rules.architecture",
    } <= names


LOADED = """
import importlib, sys
from holdfast.cli.main import COMMANDS
for command, module in {name: module for section in COMMANDS.values() for name, module in section.items()}.items():
    if command in sys.argv or not sys.argv[1:]:
        importlib.import_module("holdfast.cli." + module)
import holdfast.operations.look.list
print(*sorted({"dulwich", "lxml", "rich"} & set(sys.modules)))
"""


def loaded_by(*commands: str) -> list[str]:
    """Which of dulwich, lxml and rich are loaded once the modules of these commands are (all commands: none named)."""
    run = subprocess.run([sys.executable, "-c", LOADED, *commands], check=True, capture_output=True, text=True)
    return run.stdout.split()


def test_listing_loads_neither_dulwich_nor_lxml_nor_rich() -> None:
    assert loaded_by("list") == []


def test_no_command_loads_rich_before_it_draws_nor_dulwich_before_it_records() -> None:
    assert not {"dulwich", "rich"} & set(loaded_by())
