"""`create role`: one rule for resources."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import policy_rules, sending, typed
from steersman.kubectl.flags import LIST, STRINGS, Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("verb", LIST, help="What may be done."),
    Flag("resource", LIST, help="What it may be done to."),
    Flag("resource-name", STRINGS, help="The only objects it may be done to; may be given again."),
    *sending.FLAGS,
)
USAGE = "NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    verbs = policy_rules.parse_verbs(call.flags["verb"])
    targets = policy_rules.parse_targets(call.flags["resource"])
    if not verbs:
        raise CommandError("at least one verb must be specified")
    call.streams.write_error(policy_rules.not_standard(verbs))
    if not targets:
        raise CommandError("at least one resource must be specified")
    lookup = await sending.resource_lookup(call)
    with sending.said_plainly(call):
        policy_rules.checked(targets, verbs, lookup)
    rules = policy_rules.rules(verbs, targets, call.flags["resource-name"], (), lookup)
    await sending.send(call, generate(name, sending.namespace_of(call), rules), "roles.rbac.authorization.k8s.io")


def generate(name: str, namespace: str, rules: list[Object]) -> Object:
    return {
        "kind": "Role",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": typed.metadata(name, namespace),
        "rules": rules,
    }
