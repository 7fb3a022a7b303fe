"""`kubectl label`."""

import json
from collections.abc import Iterable

from steersman.kubectl import writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands import pairs
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, raise_all
from steersman.meta import names
from steersman.meta.objects import Object

FLAGS = pairs.flags("label", "kubectl-label")
USAGE = "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]"
HELP = """Update the labels on a resource.

Keys and values are those of labels: up to 63 characters, a key perhaps with a DNS name and a slash before it. KEY- removes a label.
"""
EXAMPLES = """
# A label for the pod foo
{program} label pods foo unhealthy=true

# Another value
{program} label --overwrite pods foo status=unhealthy

# Without it again
{program} label pods foo status-
"""


async def run(call: Call) -> None:
    values = call.flags
    how = writes.dry_run(call)
    resources, given = pairs.split(call.arguments, "label")
    change = pairs.Change("label", *parse(given), values["resource-version"])
    if values["list"] and values["output"]:
        raise CommandError("--list and --output may not be specified together")
    pairs.check(values, change, resources, how, "pod")

    def refuse(obj: Object) -> None:
        there = (obj.get("metadata") or {}).get("labels") or {}
        raise_all(
            [
                CommandError(f"'{key}' already has a value ({there[key]}), and --overwrite is false")
                for key in change.set
                if key in there and there[key] != change.set[key]
            ]
        )

    def operation(old: Object, new: Object) -> str:
        return done(old, new, overwrite=values["overwrite"])

    await pairs.carry_out(call, change, resources, refuse=refuse, operation=operation)


def parse(given: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """(labels to set, keys to remove). Raises CommandError."""
    labels: dict[str, str] = {}
    remove: list[str] = []
    for text in given:
        if "=" in text:
            key, _, value = text.partition("=")
            if "=" in value:
                raise CommandError(f"invalid label spec: {text}")
            wrong = names.label_value_errors(value)
            if wrong:
                raise CommandError(f"invalid label value: {json.dumps(text)}: {';'.join(wrong)}")
            labels[key] = value
        elif text.endswith("-"):
            remove.append(text[:-1])
        else:
            raise CommandError(f"unknown label spec: {text}")
    if any(key in labels for key in remove):
        raise CommandError("can not both modify and remove a label in the same command")
    return labels, remove


def done(old: Object, new: Object, *, overwrite: bool) -> str:
    """In a word: what became shorter was unlabeled."""
    if old == new:
        return "not labeled"
    shorter = len(last_applied.encoded(new).encode()) < len(last_applied.encoded(old).encode())
    return "unlabeled" if shorter and not overwrite else "labeled"
