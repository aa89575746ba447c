"""Old names of keys and presets, and their new names."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from alearn.config.section import Section
from alearn.errors import AlearnError

RENAMED = {
    "policy.query": "policy.query.strategy",
    "policy.query_pool": "policy.query.pool",
    "policy.auto": "policy.auto.rule",
    "policy.entropy": "policy.auto.entropy",
    "policy.entropy_decay": "policy.auto.entropy_decay",
    "policy.auto_per_round": "policy.auto.per_round",
    "policy.permanent": "policy.auto.permanent",
    "policy.target_error": "policy.audit.target_error",
    "policy.risk": "policy.audit.risk",
    **{f"policy.audit_{key}": f"policy.audit.{key}" for key in ("scope", "kind", "cut", "answers", "seed")},
    **{f"trial={name}": f"policy={name}" for name in ("frugal", "margin", "random", "ceal", "ablation")},
}
"""The new key or preset by the old one. A key that is now a section counts as old only if it has a plain value.
trial=ablation stands for all presets in that folder."""


def refuse_old_overrides(overrides: Iterable[str]) -> None:
    """Raise AlearnError if the overrides of a command line or a sweep use old names."""
    matches = [re.fullmatch(r"[+~]*([\w.]+)(?:=(.*))?", override, re.DOTALL) for override in overrides]
    pairs = [(match[1], match[2] or "") for match in matches if match]
    keys = [key for key, value in pairs if not value.startswith("{")]
    presets = [f"{key}={choice}" for key, value in pairs for choice in re.findall(r"[\w/]+", value)]
    _refuse([*keys, *presets])


def refuse_old_keys(tree: Mapping[str, Any]) -> None:
    """Raise AlearnError if a composed config has old keys."""
    _refuse(key for key in RENAMED if "=" not in key and _has_value(tree, key.split(".")))


def _refuse(names: Iterable[str]) -> None:
    splits = [(name, *name.partition("/")) for name in names]
    lines = [f"{name}: is {RENAMED[head]}{slash}{rest} now" for name, head, slash, rest in splits if head in RENAMED]
    if lines:
        raise AlearnError("\n".join(dict.fromkeys(lines)))


def _has_value(tree: Mapping[str, Any], path: list[str]) -> bool:
    """Return whether a path leads to a plain value."""
    if path[0] not in tree:
        return False
    value = tree[path[0]]
    if isinstance(value, Mapping):
        return len(path) > 1 and _has_value(value, path[1:])
    return len(path) == 1 and not isinstance(value, Section)
