"""Node selectors and node affinity terms, answered for all nodes at once."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from steersman.scheduler.label_columns import Mask
from steersman.scheduler.snapshot import Snapshot


def match_map(snapshot: Snapshot, wanted: Mapping[str, str]) -> Mask:
    """`spec.nodeSelector`: all labels must be there."""
    mask = np.ones(snapshot.rows, np.bool_)
    for key, value in wanted.items():
        mask &= snapshot.labels.is_one_of(key, (value,))
    return mask


def match_any(snapshot: Snapshot, terms: Iterable[Mapping[str, Any]]) -> Mask:
    """`nodeSelectorTerms`: one of them must hold."""
    mask = np.zeros(snapshot.rows, np.bool_)
    for term in terms:
        mask |= match(snapshot, term)
    return mask


def match(snapshot: Snapshot, term: Mapping[str, Any]) -> Mask:
    """One NodeSelectorTerm: all its requirements; an empty one matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return np.zeros(snapshot.rows, np.bool_)
    mask = np.ones(snapshot.rows, np.bool_)
    for requirement in expressions:
        mask &= _match_label(snapshot, requirement)
    for requirement in fields:
        mask &= _match_name(snapshot, requirement)
    return mask


def _match_label(snapshot: Snapshot, requirement: Mapping[str, Any]) -> Mask:
    key: str = requirement["key"]
    values: list[str] = requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return snapshot.labels.is_one_of(key, values)
        case "NotIn":
            return ~snapshot.labels.is_one_of(key, values)
        case "Exists":
            return snapshot.labels.has(key)
        case "DoesNotExist":
            return ~snapshot.labels.has(key)
        case "Gt":
            return snapshot.labels.compares(key, int(values[0]), greater=True)
        case "Lt":
            return snapshot.labels.compares(key, int(values[0]), greater=False)
        case _:
            return np.zeros(snapshot.rows, np.bool_)


def _match_name(snapshot: Snapshot, requirement: Mapping[str, Any]) -> Mask:
    """The only field is metadata.name, the only operators In and NotIn, with one value (validation sees to it)."""
    mask = np.zeros(snapshot.rows, np.bool_)
    for name in requirement.get("values") or ():
        row = snapshot.row_of(name)
        if row is not None:
            mask[row] = True
    return ~mask if requirement["operator"] == "NotIn" else mask
