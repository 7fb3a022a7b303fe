"""The pod that a command line means: by its own name, or the best one of those that an object selects.

Reads: the object, its pods. Leaves to others: which pod is best (`pods`), which container.
Source: kubectl's pkg/polymorphichelpers (helpers.go, attachablepodforobject.go).
"""

import contextlib
from collections.abc import Callable, Sequence

from steersman.kubectl import builder, files, flags, pods, watching
from steersman.kubectl.builder import Query
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

CONTAINER = Flag(
    "container",
    short="c",
    help="Container name; without it the one that the annotation kubectl.kubernetes.io/default-container names, "
    "or the pod's first.",
)
NO_TIME = "--pod-running-timeout must be higher than zero"

Sort = Callable[[Sequence[Object]], list[Object]]


def running_timeout(seconds: float) -> Flag:
    what = "How long (like 5s, 2m, or 3h, more than zero) to wait until at least one pod is running."
    return Flag("pod-running-timeout", flags.DURATION, seconds, help=what)


async def named(call: Call, name: str, filenames: files.Filenames = files.NONE) -> Object:
    """`web`, `deploy/web`, or what a file names. Raises CommandError, StatusError."""
    arguments = () if not name else (name,) if "/" in name else ("pods", name)
    query = Query(
        arguments=arguments,
        filenames=filenames,
        namespace=call.namespace,
        enforce_namespace=call.enforce_namespace,
    )
    infos = await (await builder.find(call, query)).infos()
    return infos[0].object


async def attachable(call: Call, obj: Object, timeout_seconds: float) -> Object:
    """The object itself where it is a pod, else the best of its pods. Raises CommandError."""
    if obj.get("kind") == "Pod":
        return obj
    try:
        selector = pods.selector_of(obj)
    except pods.PodError as none:
        raise CommandError(f"cannot attach to {pods.go_type(obj)}: {none}") from none
    found = await of_selector(call, obj["metadata"]["namespace"], selector, timeout_seconds, pods.best_to_attach)
    return found[0]


async def of_selector(call: Call, namespace: str, selector: str, timeout_seconds: float, sort: Sort) -> list[Object]:
    """At least one pod, the best first; waits for one. Raises CommandError."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    listed = await call.ask("GET", path, {"labelSelector": selector})
    if listed["items"]:
        return sort([_typed(pod) for pod in listed["items"]])
    try:
        async with call.clock.timeout(timeout_seconds):
            query = {"labelSelector": selector, "resourceVersion": listed["metadata"]["resourceVersion"]}
            async with contextlib.aclosing(watching.events(call, path, query)) as events:
                async for kind, pod in events:
                    if kind in ("ADDED", "MODIFIED"):
                        return [_typed(pod)]
    except TimeoutError:
        raise CommandError(watching.TIMED_OUT) from None
    raise CommandError("watch closed before UntilWithoutRetry timeout")


def _typed(pod: Object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", **pod}
