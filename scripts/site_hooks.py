"""MkDocs hooks: pages from the repository's root, and tables that are written by the code itself.

A page says where a table goes with a comment such as <!-- table: keys -->, so that it reads well without the site, too.
Links are written as they work in the repository; those to files of the root are turned into links to their pages.
"""

import argparse
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import hydra
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from omegaconf import OmegaConf

from alearn.cli.main import SUBCOMMANDS
from alearn.config import flatten, reference
from alearn.config.presets import CONF
from alearn.registry import AUTO_RULES, QUERIES, Registry
from alearn.trial.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
FROM_ROOT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "LICENSE",
}
"""Files of the repository's root by the pages that they become."""

GROUP = {"hydra": "hydra/sweeper"}
"""By the first part of a key: how its group is chosen, where that is not the same."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that come from the root."""
    for name, page in FROM_ROOT.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the tables, and make the links work on the site."""
    markdown = re.sub(r"<!-- table: ([\w-]+) -->", lambda match: TABLES[match[1]](), markdown)
    return relinked(markdown, page.file.src_uri)


def relinked(markdown: str, page: str) -> str:
    """Return a page with links that work on the site instead of in the repository."""
    names = {page: name for name, page in FROM_ROOT.items()}
    here = posixpath.dirname(names.get(page, f"docs/{page}"))

    def relink(match: re.Match[str]) -> str:
        target, hash_, anchor = match[1].partition("#")
        if "://" in target or not target:
            return match[0]
        there = posixpath.normpath(posixpath.join(here, target))
        there = FROM_ROOT.get(there, there.removeprefix("docs/"))
        return f"]({posixpath.relpath(there, posixpath.dirname(page))}{hash_}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", relink, markdown)


def table(heads: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in rows) + "\n"


def code(value: Any) -> str:
    """Return a value as YAML writes it, in code."""
    words = {None: "null", True: "true", False: "false"}
    return f"`{words[value] if isinstance(value, bool | None) else value}`"


# ---------------------------------------------------------------------------------------------------------- config keys


def keys() -> str:
    """Return all keys of the config, a table for each group, and for each of its options where their keys differ."""
    text = []
    for (group, options), keys_ in groupby(reference.keys(), lambda key: (key.group, key.options)):
        title = ", ".join(f"{GROUP.get(group, group)}={option}" for option in options) or group or "A trial"
        lines = (
            (code(key.name), default_cell(key.default), key.values.replace(" | ", ", "), key.description)
            for key in keys_
        )
        text.append(f"## {title}\n\n{table(('key', 'default', 'may be', 'meaning'), lines)}")
    return "\n".join(text)


def default_cell(default: str) -> str:
    """Return a default in code, unless it is described in words."""
    return code(default) if default and " " not in default else default or "must be given"


def composed(*overrides: str) -> dict[str, Any]:
    """Return a composed config flat, with the references between keys left in it."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=list(overrides))
    return flatten(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]


def presets(group: str) -> Callable[[], str]:
    """Return what makes a table of the presets of a group: the keys in which they differ."""

    def build() -> str:
        names = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
        configs = [composed(f"{group}={name}") for name in names]
        differ = [
            key
            for key in configs[0]
            if key.startswith(("policy.", "train.")) and len({str(config.get(key)) for config in configs}) > 1
        ]
        lines = ((code(key), *(code(config[key]) if key in config else "" for config in configs)) for key in differ)
        return table(["key", *(code(f"{group}={name}") for name in names)], lines)

    return build


def options(*groups: str) -> Callable[[], str]:
    """Return what makes a table of the options of some groups, in the words of their files."""

    def rows() -> Iterator[Sequence[str]]:
        for group in groups:
            for path in sorted((CONF / group).glob("*.yaml")):
                comments = [line[1:] for line in path.read_text().splitlines() if line.startswith("#")]
                words = [line.strip() for line in comments if not line.startswith("   ") and "@package" not in line]
                yield code(f"{group}={path.stem}"), " ".join(words)

    return lambda: table(("option", "what it is"), rows())


def registered(registry: Registry[Any, ..., Any], function: str) -> Callable[[], str]:
    """Return what makes a table of all that is registered, in the words of its docstrings."""

    def rows() -> Iterator[Sequence[str]]:
        for name in registry.names():
            yield code(name), getattr(registry.get(name), function).__doc__

    return lambda: table(("name", "what it does"), rows())


# ------------------------------------------------------------------------------------------------------------- commands


def commands() -> str:
    """Return all subcommands with their options, as their parsers have them."""
    text = []
    for name in SUBCOMMANDS:
        parser: argparse.ArgumentParser = import_module(f"alearn.cli.{name}_command").parser()
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        lines = (
            (", ".join(f"`{one}`" for one in (shown(action), *action.option_strings[1:])), described(action))
            for action in parser._actions
            if action.dest != "help"
        )
        parts = [f"## alearn {name}", f"`{usage}`", parser.description or "", table(("option", "meaning"), lines)]
        text.append("\n\n".join([*parts, parser.epilog or ""]))
    return "\n\n".join(text)


def shown(action: argparse.Action) -> str:
    """Return an option with the name of its value."""
    value = "" if action.nargs == 0 else str(action.metavar or "VALUE")
    return " ".join(filter(None, (*action.option_strings[:1], value)))


def described(action: argparse.Action) -> str:
    """Return the help of an option with its values and its default."""
    values = f"One of {', '.join(map(code, action.choices))}. " if action.choices else ""
    needed = " (required)" if action.required and action.option_strings else ""
    return values + (action.help or "") % {"default": action.default} + needed


# -------------------------------------------------------------------------------------------------------------- metrics


def metrics() -> str:
    """Return all metrics with the files and the curves that have them."""

    def lines() -> Iterator[Sequence[str]]:
        for metric in METRICS:
            files = [name for there, name in ((metric.in_rounds, "rounds"), (metric.in_row, "row")) if there]
            tags = [code(tag) for tag in (metric.curve.tag, metric.curve.over_hand) if tag]
            yield code(metric.key), metric.meaning, metric.unit.value, ", ".join(files), "<br>".join(tags)

    return table(("key", "meaning", "unit", "where", "TensorBoard tags"), lines())


TABLES: dict[str, Callable[[], str]] = {
    "keys": keys,
    "policy-presets": presets("policy"),
    "train-presets": presets("train"),
    "experiments": options("experiment"),
    "options": options("data", "model", "train", "policy", "oracle"),
    "queries": registered(QUERIES, "rank"),
    "auto-rules": registered(AUTO_RULES, "take"),
    "commands": commands,
    "metrics": metrics,
}
"""By the name that a page uses: what makes the table."""
