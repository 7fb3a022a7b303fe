"""`create poddisruptionbudget`: how many pods of a selector must stay."""

import re

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta import selectors
from steersman.meta.objects import Object

_AMOUNT = re.compile(r"^([0-9]+|[0-9]+%)$")
_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}

FLAGS = (
    Flag("min-available", help="How many pods, or how many percent, must be available."),
    Flag("max-unavailable", help="How many pods, or how many percent, may be missing."),
    Flag("selector", help="The labels of its pods; only equality."),
    *sending.FLAGS,
)
USAGE = "NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    check(call.flags)
    obj = generate(name, sending.namespace_of(call), call.flags)
    await sending.send(call, obj, "poddisruptionbudgets.policy", failed="failed to create poddisruptionbudgets: ")


def check(flags: Values) -> None:
    """Raises CommandError."""
    if not flags["selector"]:
        raise CommandError("a selector must be specified")
    least, most = flags["min-available"], flags["max-unavailable"]
    if not least and not most:
        raise CommandError("one of min-available or max-unavailable must be specified")
    if least and most:
        raise CommandError("min-available and max-unavailable cannot be both specified")
    for name in ("min-available", "max-unavailable"):
        if flags[name] and not _AMOUNT.match(flags[name]):
            raise CommandError(f"invalid format specified for {name}")


def generate(name: str, namespace: str, flags: Values) -> Object:
    """Raises CommandError."""
    spec: Object = {}
    if flags["min-available"]:
        spec["minAvailable"] = typed.int_or_text(flags["min-available"])
    spec["selector"] = parse_selector(flags["selector"])
    if flags["max-unavailable"]:
        spec["maxUnavailable"] = typed.int_or_text(flags["max-unavailable"])
    return {
        "kind": "PodDisruptionBudget",
        "apiVersion": "policy/v1",
        "metadata": typed.metadata(name, namespace),
        "spec": spec,
        "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    }


def parse_selector(text: str) -> Object:
    """A LabelSelector out of the text of one. Raises CommandError."""
    try:
        found = selectors.parse(text)
    except selectors.SelectorError as wrong:
        raise CommandError(f'couldn\'t parse the selector string "{text}": {wrong}') from wrong
    labels: dict[str, str] = {}
    expressions: list[Object] = []
    for requirement in found.requirements:
        if requirement.operator in ("=", "=="):
            labels[requirement.key] = next(iter(requirement.values))
        elif requirement.operator in _OPERATORS:
            entry: Object = {"key": requirement.key, "operator": _OPERATORS[requirement.operator]}
            if requirement.values:
                entry["values"] = sorted(requirement.values)
            expressions.append(entry)
        else:
            raise CommandError(f'"{requirement.operator}" is not a valid label selector operator')
    selector: Object = {"matchLabels": dict(sorted(labels.items()))} if labels else {}
    return selector | ({"matchExpressions": expressions} if expressions else {})
