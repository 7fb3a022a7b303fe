"""A user: does the steps of a plan in order, and tries again what was not acknowledged."""

from steersman.aio import backoff
from steersman.api import kinds
from steersman.client.client import Client, Unreachable
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.simulation.part import Incarnation
from steersman.simulation.workload.step import Step

# People give up.
TRIES_MAX = 8
PAUSES = backoff.Pauses(initial_seconds=0.5, max_seconds=8.0)


class User:
    """`steps` are those of one user, in order of time."""

    def __init__(self, name: str, life: Incarnation, steps: list[Step]) -> None:
        self._clock = life.clock
        self._client = life.client(name, ("system:masters",))
        self._steps = steps

    async def run(self) -> None:
        for step in self._steps:
            await self._clock.sleep(max(0.0, step.at - self._clock.monotonic()))
            await self._insist(step)

    async def _insist(self, step: Step) -> None:
        pause = backoff.Backoff(self._clock, PAUSES)
        for _ in range(TRIES_MAX):
            try:
                await do(self._client, step)
                return
            except Unreachable:
                await pause.wait()
            except StatusError as refused:
                if refused.code == 404 or (refused.reason == "AlreadyExists" and not _is_ending(refused)):
                    return
                await pause.wait()


def _is_ending(refused: StatusError) -> bool:
    return "object is being deleted" in str(refused)


async def do(client: Client, step: Step) -> None:
    """Raises StatusError, Unreachable."""
    match step.verb:
        case "create":
            try:
                await client.create(step.kind, step.body, step.namespace)
            except StatusError as refused:
                if refused.reason == "AlreadyExists" and await _is_going(client, step):
                    raise StatusError({**refused.status, "message": "object is being deleted"}) from refused
                raise
        case "patch":
            await client.patch(step.kind, step.name, step.namespace, step.body)
        case "delete":
            propagation = (step.body or {}).get("propagation", "")
            await client.delete(step.kind, step.name, step.namespace, propagation=propagation)
        case "delete-pod" | "force-delete-pod":
            found_pods = await client.list(kinds.POD, step.namespace, label_selector=f"app={step.name}")
            if found_pods.items:
                name = objects.name(found_pods.items[0])
                grace = 0 if step.verb == "force-delete-pod" else None
                await client.delete(kinds.POD, name, step.namespace, grace_seconds=grace)
        case "evict-pod":
            await _evict(client, step)
        case _:
            raise AssertionError(f"no such verb: {step.verb}")


async def _is_going(client: Client, step: Step) -> bool:
    """Raises StatusError, Unreachable."""
    try:
        return objects.is_terminating(await client.get(step.kind, step.name, step.namespace))
    except StatusError as refused:
        if refused.code == 404:
            return True  # and it has gone meanwhile
        raise


async def _evict(client: Client, step: Step) -> None:
    """One of the app's pods; told to try later, as a drain is."""
    found = await client.list(kinds.POD, step.namespace, label_selector=f"app={step.name}")
    if not found.items:
        return
    name = objects.name(found.items[step.body["choose"] % len(found.items)])
    meta = {"name": name, "namespace": step.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    await client.create(kinds.POD, body, step.namespace, subresource="eviction", name=name)
