"""What the documentation names exists: keys, presets, commands, options, files. The site builds without a dead link."""

import argparse
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path

import pytest

from alearn.cli.main import SUBCOMMANDS
from alearn.config import reference
from alearn.config.presets import CONF
from alearn.config.renamed import RENAMED

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GROUPS = ("data", "model", "train", "policy", "oracle", "trial", "experiment")
EXAMPLES = {"oracle.file", "model=mlp", "oracle=table"}
"""What docs/extending.md adds as examples."""
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)`", re.MULTILINE)


def page(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code(path: Path) -> str:
    """Return the commands and names on a page: its blocks of code that are not Python, and a line for each `name`."""
    text = path.read_text()
    if path == CHANGELOG:
        text = re.sub(r"^\|.*", "", text, flags=re.MULTILINE)  # its tables have old names
    blocks = re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL)
    names = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [" ".join(name.split()) for name in names]
    return "\n".join([*(block for language, block in blocks if language != "python"), *lines])


@cache
def keys() -> set[str]:
    """Return every key of the config and every section."""
    names = set(map(attrgetter("name"), reference.keys()))
    return names | {name.rpartition(".")[0] for name in names}


def parser(name: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = import_module(f"alearn.cli.{name}_command").parser()
    return made


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 900


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_key_exists(path):
    names = r"(?<![\w./-])((?:data|model|train|policy|oracle|record)\.[a-z][a-z_.]*[a-z])(?![\w(/])"
    named = {key for key in re.findall(names, code(path)) if not key.endswith((".py", ".pt", ".onnx", ".html"))}
    known = keys()
    assert named - known - EXAMPLES == set()


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_preset_exists(path):
    for group, values in re.findall(rf"(?<![\w.])({'|'.join(GROUPS)})=([a-z0-9_/,|]+)", code(path)):
        for value in re.split(r"[,|]", values):
            there = (CONF / group / f"{value}.yaml").exists() or (CONF / group / value).is_dir()
            choice = f"{group}={value}"
            assert there or value in ("", "null") or choice in EXAMPLES, choice


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_command_and_option_exists(path):
    for name, rest in re.findall(r"^alearn ([a-z]+)(?![\w=./])(.*)", code(path), re.MULTILINE):
        assert name in SUBCOMMANDS, f"alearn {name}"
        options = re.findall(r"(?<!\S)--[a-z-]+", rest.partition("#")[0])
        known = {option for action in parser(name)._actions for option in action.option_strings}
        assert set(options) <= known, f"alearn {name}{rest}"


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_file_exists(path):
    names = re.findall(r"(?<![\w./])((?:alearn|conf|docs|scripts|tests)/[\w./]+)", code(path))
    made_up = ("NAME", "FOLDER", "mlp", "oracle/table")
    assert {name for name in names if not any(word in name for word in made_up) and not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_links_work_in_the_repository(path):
    """MkDocs checks them on the site, anchors too."""
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", path.read_text()):
        assert "://" in target or (path.parent / target).exists(), target


def test_the_changelog_has_every_new_name():
    rows = dict(ROW.findall(CHANGELOG.read_text()))
    assert {old: new for old, new in RENAMED.items() if "=" not in old}.items() <= rows.items()
    assert {f"alearn-{name}": f"alearn {name}" for name in SUBCOMMANDS if name != "features"}.items() <= rows.items()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["how-to/python.md", "extending.md"])
def test_the_python_on_a_page_runs(name, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / name).read_text(), flags=re.DOTALL | re.MULTILINE)
    args = [sys.executable, "-c", "\n".join(blocks)]
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_the_site_builds_without_a_dead_link(tmp_path):
    args = [
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--config-file",
        ROOT / "mkdocs.yml",
        "--site-dir",
        tmp_path,
    ]
    done = subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    keys_page = (tmp_path / "reference" / "keys.html").read_text()
    assert "policy.audit.target_error" in keys_page
    assert "&lt;!-- table" not in keys_page
