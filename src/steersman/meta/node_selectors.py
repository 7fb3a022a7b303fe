"""NodeSelectors (`nodeSelectorTerms`) asked of one node by its name and labels.

The scheduler asks them of all nodes at once (`scheduler/node_terms.py`). Source: "Assigning Pods to Nodes".
"""

from collections.abc import Mapping

from steersman.meta.objects import Object

_NAME = "metadata.name"


def matches(selector: Object | None, name: str, labels: Mapping[str, str]) -> bool:
    """One of the terms holds; no selector at all matches every node."""
    return selector is None or any(term_matches(term, name, labels) for term in selector.get("nodeSelectorTerms") or ())


def term_matches(term: Object, name: str, labels: Mapping[str, str]) -> bool:
    """All its requirements hold; an empty term matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_holds(one, labels) for one in expressions) and all(_holds(one, {_NAME: name}) for one in fields)


def _holds(requirement: Object, found: Mapping[str, str]) -> bool:
    value, values = found.get(requirement["key"]), list(requirement.get("values") or ())
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            if value is None or not value.lstrip("-").isdecimal():
                return False
            return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
    return False
