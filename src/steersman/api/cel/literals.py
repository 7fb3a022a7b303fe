"""Literal arguments that cannot be right: patterns, durations and times that do not parse are found when a rule is written.

Source: cel-go's cel/validator.go.
"""

from collections.abc import Callable, Iterable

from steersman.api.cel import conversions
from steersman.api.cel.source import Issue
from steersman.api.cel.syntax import Call, Literal, Node
from steersman.api.cel.values import EvalError
from steersman.meta import patterns


def issues(nodes: Iterable[Node]) -> list[Issue]:
    found = []
    for node in nodes:
        if not isinstance(node, Call) or node.function not in _CHECKS:
            continue
        argument = (node.args if node.target is None or node.args else [node.target])[-1:]
        if argument and isinstance(argument[0], Literal) and isinstance(argument[0].value, str):
            try:
                _CHECKS[node.function](argument[0].value)
            except (EvalError, patterns.Unsupported):
                found.append(Issue(argument[0].offset, f"invalid {node.function} argument"))
    return found


_CHECKS: dict[str, Callable[[str], object]] = {
    "matches": patterns.compiled,
    "duration": conversions.parse_duration,
    "timestamp": conversions.parse_timestamp,
}
