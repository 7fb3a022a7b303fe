"""`kubectl auth can-i`: whether the caller may do something, or (--list) all that it may do in a namespace."""

import dataclasses

from steersman.kubectl import flags, flags_shared, problems
from steersman.kubectl.call import Call
from steersman.kubectl.describe import rbac
from steersman.kubectl.discovery import Resource
from steersman.kubectl.flags import Flag
from steersman.kubectl.printers import go_values
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    dataclasses.replace(flags_shared.ALL_NAMESPACES, help="Ask about all namespaces at once."),
    Flag("list", flags.BOOL, help="List all that is allowed."),
    Flag("no-headers", flags.BOOL, help="Print no headers above the list."),
    Flag("quiet", flags.BOOL, short="q", help="Print nothing; the exit code is the answer."),
    Flag("subresource", help="Ask about this subresource (log, scale, …)."),
)
USAGE = "can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL]"
HELP = """Ask whether an action is allowed.

VERB is one of the API: get, list, watch, create, delete and so on. TYPE is a resource, with its group where that is needed;
NONRESOURCEURL begins with "/". With --as the question is asked for somebody else. The exit code is 1 for a no.
"""
EXAMPLES = """
# May I create pods everywhere?
{program} auth can-i create pods --all-namespaces

# May a service account list deployments?
{program} auth can-i list deployments.apps --as=system:serviceaccount:dev:robot

# May I read logs?
{program} auth can-i get pods --subresource=log

# All that I may do in a namespace
{program} auth can-i --list --namespace=dev
"""

API = "authorization.k8s.io/v1"
RESOURCE_VERBS = frozenset((
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "bind", "impersonate", "*",
    "approve", "sign", "escalate", "attest",
))  # fmt: skip
URL_VERBS = frozenset(("get", "put", "post", "head", "options", "delete", "patch", "*"))
# No server tells of these, and impersonation asks for them.
UNTOLD = frozenset(("users", "groups"))


async def run(call: Call) -> int | None:
    if call.flags["list"]:
        _check_list(call)
        await _list(call)
        return None
    if len(call.arguments) != 2:
        raise CommandError(
            "you must specify two arguments: verb resource or verb resource/resourceName.\n"
            f"See '{call.program} auth can-i -h' for help and examples."
        )
    verb, target = call.arguments
    attributes = _of_url(call, verb, target) if target.startswith("/") else await _of_resource(call, verb, target)
    if call.flags["no-headers"]:
        raise CommandError("--no-headers cannot be set without --list specified")
    status = (await _review(call, "SelfSubjectAccessReview", attributes)).get("status") or {}
    if not call.flags["quiet"]:
        call.print(_answer(status))
    if not status.get("allowed"):
        raise problems.Exit(1)
    return None


def _check_list(call: Call) -> None:
    if call.arguments:
        raise CommandError("list option must be specified with no arguments")
    if call.flags["quiet"] or call.flags["all-namespaces"] or call.flags["subresource"]:
        raise CommandError("list option can't be specified with neither quiet, all-namespaces nor subresource options")


def _of_url(call: Call, verb: str, url: str) -> Object:
    if call.flags["subresource"]:
        raise CommandError("--subresource can not be used with NonResourceURL")
    if verb not in URL_VERBS:
        call.warn(f"verb '{verb}' is not a known verb\n")
    return {"nonResourceAttributes": {"verb": verb, "path": url}}


async def _of_resource(call: Call, verb: str, target: str) -> Object:
    everywhere = call.flags["all-namespaces"]
    word, _, name = target.partition("/")
    resource = await _resource(call, word)
    if not everywhere and (word or resource):
        if resource is not None and not resource.namespaced:
            group = f" in group '{resource.group}'" if resource.group else ""
            call.warn(f"resource '{resource.plural}' is not namespace scoped{group}\n")
        if verb not in RESOURCE_VERBS:
            call.warn(f"verb '{verb}' is not a known verb\n")
    attributes = {
        "namespace": "" if everywhere else call.namespace,
        "verb": verb,
        "group": resource.group if resource else "",
        "resource": resource.plural if resource else word,
        "subresource": call.flags["subresource"],
        "name": name,
    }
    return {"resourceAttributes": {key: value for key, value in attributes.items() if value}}


async def _resource(call: Call, word: str) -> Resource | None:
    """What the server calls it; a warning where it knows no such thing."""
    if word == "*":
        return None
    lower = word.lower()
    found = (await call.discovery()).look_up(lower)
    if found is None and lower not in UNTOLD:
        plural, dot, group = lower.partition(".")
        place = f" in group '{group}'" if dot else ""
        call.warn(f"the server doesn't have a resource type '{plural}'{place}\n")
    return found


async def _review(call: Call, kind: str, spec: Object) -> Object:
    body = {"apiVersion": API, "kind": kind, "spec": spec}
    answer: Object = await call.ask("POST", f"/apis/{API}/{kind.lower()}s", body=body)
    return answer


def _answer(status: Object) -> str:
    if status.get("allowed"):
        return "yes"
    return "no" + "".join(f" - {status[key]}" for key in ("reason", "evaluationError") if status.get(key))


async def _list(call: Call) -> None:
    review = await _review(call, "SelfSubjectRulesReview", {"namespace": call.namespace})
    status = review.get("status") or {}
    if status.get("incomplete"):
        call.warn(f"the list may be incomplete: {status.get('evaluationError', '')}")
    found = [*(status.get("resourceRules") or ()), *(status.get("nonResourceRules") or ())]
    writer = TabWriter()
    if not call.flags["no-headers"]:
        writer.row("Resources", "Non-Resource URLs", "Resource Names", "Verbs")
    for rule in rbac.compact(map(rbac.Rule.of, found)):
        shown = (go_values.show(list(part)) for part in (rule.urls, rule.names, rule.verbs))
        writer.row(rbac.qualified(rule.resources, rule.groups), *shown)
    call.write(writer.flush())
