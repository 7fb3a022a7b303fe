"""`kubectl top pod`: what pods, or their containers, use of CPU and memory."""

import urllib.parse

from steersman.kubectl import flags, flags_shared, metrics_api, usage
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta import selectors, times
from steersman.meta.objects import Object

METRICS_SECONDS = 120.0  # a pod older than this should have metrics

FLAGS = (
    flags_shared.ALL_NAMESPACES,
    Flag("containers", flags.BOOL, help="Show each container of the pods."),
    flags_shared.FIELD_SELECTOR,
    Flag("no-headers", flags.BOOL, help="Print no headers."),
    flags_shared.SELECTOR,
    Flag("sort-by", help="Show those first that use most: cpu or memory."),
    Flag("sum", flags.BOOL, help="Show the sum in a last line."),
    Flag("use-protocol-buffers", flags.BOOL, True, help="Accepted; metrics are read as JSON."),
)
USAGE = "pod [NAME | -l label]"
HELP = """Show what pods use of CPU and memory.

A pod that was made a moment ago has no metrics yet.
"""
EXAMPLES = """
# All pods of the namespace
{program} top pod

# One pod, container by container
{program} top pod web-1 --containers

# Pods with a label, the hungriest first
{program} top pod -l app=web --sort-by=memory
"""


async def run(call: Call) -> int | None:
    name = metrics_api.check(call, USAGE, "selector", "field-selector")
    query = _query(call)
    await metrics_api.require(call)
    everywhere = call.flags["all-namespaces"]
    namespace = "" if everywhere else f"/namespaces/{call.namespace}"
    path = f"{metrics_api.ROOT}{namespace}/pods"
    if name:
        metrics = [await call.ask("GET", f"{path}/{urllib.parse.quote(name)}")]
    else:
        metrics = (await call.ask("GET", path, query)).get("items") or []
    if not metrics:
        await _explain(call, query)
        call.write_error(f"No resources found{'' if everywhere else f' in {call.namespace} namespace.'}\n")
    options = usage.Options(
        containers=call.flags["containers"],
        namespaces=everywhere,
        headers=not call.flags["no-headers"],
        sort_by=call.flags["sort-by"],
        sum=call.flags["sum"],
    )
    call.write(usage.pods(metrics, options))
    return None


def _query(call: Call) -> dict[str, str]:
    """The selectors in the form that the server is asked in."""
    try:
        labels = str(selectors.parse(call.flags["selector"])) if call.flags["selector"] else ""
        if call.flags["field-selector"]:
            selectors.parse_fields(call.flags["field-selector"])
    except selectors.SelectorError as wrong:
        raise CommandError(str(wrong)) from None
    return {"labelSelector": labels, "fieldSelector": call.flags["field-selector"]}


async def _explain(call: Call, query: dict[str, str]) -> None:
    """No metrics: because there are no pods, or because they are not there yet."""
    pods = (await call.ask("GET", f"/api/v1/namespaces/{call.namespace}/pods", query)).get("items") or []
    for pod in pods:
        _check_age(call, pod)
    if pods:
        raise CommandError("metrics not available yet")


def _check_age(call: Call, pod: Object) -> None:
    metadata = pod.get("metadata") or {}
    seconds = times.seconds_since(metadata["creationTimestamp"], call.clock.now())
    if seconds > METRICS_SECONDS:
        place = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        raise CommandError(f"Metrics not available for pod {place}, age: {times.format_duration(seconds)}")
