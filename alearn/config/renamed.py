"""Old names of keys and presets, and what they are called now."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

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
}
"""By old name: the new one. An old key that names a section now is old only where it has a plain value."""


def refuse_old_overrides(overrides: Iterable[str]) -> None:
    """Raise AlearnError if overrides, a command line's or a sweep's, use old names."""
    pairs = [re.fullmatch(r"[+~]*([\w.]+)(=.*)?", override) for override in overrides]
    _refuse(pair[1] for pair in pairs if pair and not (pair[2] or "").startswith("={"))


def refuse_old_keys(tree: Mapping[str, Any]) -> None:
    """Raise AlearnError if a composed config has old keys."""
    _refuse(key for key in RENAMED if _has_value(tree, key.split(".")))


def _refuse(names: Iterable[str]) -> None:
    lines = [f"{name}: is {RENAMED[name]} now" for name in names if name in RENAMED]
    if lines:
        raise AlearnError("\n".join(dict.fromkeys(lines)))


def _has_value(tree: Mapping[str, Any], path: list[str]) -> bool:
    """Whether a path leads to a plain value."""
    if path[0] not in tree:
        return False
    value = tree[path[0]]
    if isinstance(value, Mapping):
        return len(path) > 1 and _has_value(value, path[1:])
    return len(path) == 1
