"""`create quota`: hard limits of a namespace."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta import quantities
from steersman.meta.objects import Object

FLAGS = (
    Flag("hard", help="Limits by commas: RESOURCE=QUANTITY."),
    Flag("scopes", help="What it counts, by commas."),
    *sending.FLAGS,
)
USAGE = "NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    obj = generate(sending.name_of(call), sending.namespace_of(call), call.flags)
    await sending.send(call, obj, "resourcequotas", failed="failed to create quota: ")


def generate(name: str, namespace: str, flags: Values) -> Object:
    """Raises CommandError."""
    spec: Object = {}
    hard = resource_list(flags["hard"])
    if hard:
        spec["hard"] = hard
    if flags["scopes"]:
        spec["scopes"] = list(dict.fromkeys(flags["scopes"].split(",")))
    return {
        "kind": "ResourceQuota",
        "apiVersion": "v1",
        "metadata": typed.metadata(name, namespace),
        "spec": spec,
        "status": {},
    }


def resource_list(text: str) -> dict[str, str]:
    """`cpu=1,memory=2Gi`. Raises CommandError."""
    found = {}
    for statement in text.split(",") if text else ():
        name, equals, amount = statement.partition("=")
        if not equals or "=" in amount:
            raise CommandError(f"Invalid argument syntax {statement}, expected <resource>=<value>")
        try:
            found[name] = quantities.canonical(amount)
        except ValueError as wrong:
            raise CommandError(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            ) from wrong
    return dict(sorted(found.items()))
