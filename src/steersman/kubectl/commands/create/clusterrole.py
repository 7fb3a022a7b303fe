"""`create clusterrole`: rules for resources and URLs, or the selector of those it is made of."""

from collections.abc import Mapping

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import policy_rules, sending, typed
from steersman.kubectl.flags import LIST, MAP, STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("verb", LIST, help="What may be done."),
    Flag("resource", LIST, help="What it may be done to."),
    Flag("resource-name", STRINGS, help="The only objects it may be done to; may be given again."),
    Flag("non-resource-url", LIST, help="Paths of the API server that may be asked for."),
    Flag("aggregation-rule", MAP, help="Labels of the cluster roles that it gathers."),
    *sending.FLAGS,
)
USAGE = "NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    flags = call.flags
    if check_aggregation(flags):
        obj = generate(name, None, flags["aggregation-rule"])
    else:
        verbs = policy_rules.parse_verbs(flags["verb"])
        targets = policy_rules.parse_targets(flags["resource"])
        urls = flags["non-resource-url"]
        if not verbs:
            raise CommandError("at least one verb must be specified")
        if not targets and not urls:
            raise CommandError("one of resource or nonResourceURL must be specified")
        lookup = await sending.resource_lookup(call) if targets else sending.nothing_known
        if targets:
            call.streams.write_error(policy_rules.not_standard(verbs))
            with sending.said_plainly(call):
                policy_rules.checked(targets, verbs, lookup)
        check_urls(urls, verbs)
        obj = generate(name, policy_rules.rules(verbs, targets, flags["resource-name"], urls, lookup), {})
    await sending.send(call, obj, "clusterroles.rbac.authorization.k8s.io")


def check_aggregation(flags: Values) -> bool:
    """Whether it gathers others. Raises CommandError where it also has rules of its own."""
    if not flags["aggregation-rule"]:
        return False
    if any(flags[name] for name in ("verb", "resource", "resource-name", "non-resource-url")):
        raise CommandError(
            "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames"
        )
    return True


def check_urls(urls: tuple[str, ...], verbs: list[str]) -> None:
    """Raises CommandError."""
    for verb in verbs if urls else ():
        if verb not in policy_rules.NON_RESOURCE_VERBS:
            raise CommandError(f"invalid verb: '{verb}' for nonResourceURL")
    for url in urls:
        if url == "*":
            continue
        if not url.startswith("/"):
            raise CommandError("nonResourceURL should start with /")
        if "*" in url[:-1]:
            raise CommandError("nonResourceURL only supports wildcard matches when '*' is at the end")


def generate(name: str, rules: list[Object] | None, aggregated: Mapping[str, str]) -> Object:
    obj: Object = {
        "kind": "ClusterRole",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": typed.metadata(name),
        "rules": rules,
    }
    if aggregated:
        obj["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": dict(sorted(aggregated.items()))}]}
    return obj
