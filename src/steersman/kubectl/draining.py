"""Take the pods from a node: evict them (or delete them), wait until they are gone, tell of each.

Reads: the node's pods, their DaemonSets. Writes: evictions, or deletions. Leaves to others: which pods go (`drains`, pure).
Source: kubectl's pkg/drain.
"""

import asyncio

from steersman.kubectl import drains, problems, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta import times
from steersman.meta.objects import Object

# kubectl's own: between two looks at pods that end, and before an eviction that a budget forbids is tried again.
LOOK_SECONDS = 1.0
RETRY_SECONDS = 5.0
FOR_EVER = "2562047h47m16.854775807s"


class Drain:
    """One node."""

    def __init__(self, call: Call, info: Info, how: str) -> None:
        self._call, self._info, self._how = call, info, how
        seconds = call.flags["timeout"]
        self._seconds = seconds
        self._until = call.clock.monotonic() + seconds if seconds else None

    async def run(self) -> None:
        """Raises CommandError, StatusError, Several."""
        found = await self._classify()
        if found.warning:
            self._call.write_error(f"Warning: {found.warning}\n")
        if self._how == writes.CLIENT:
            for pod in found.pods:
                self._call.print(f"evicting pod {_key(pod)} (dry run)")
            return
        try:
            await (self._delete(found.pods) if self._call.flags["disable-eviction"] else self._evict(found.pods))
        except (CommandError, StatusError, problems.Several) as failed:
            await self._tell_what_is_left(failed)
            raise

    async def _classify(self) -> drains.Found:
        """Raises what stops the drain."""
        found = drains.classify(*await self._see())
        if found.errors:
            raise problems.Several([CommandError(text) for text in found.errors])
        return found

    async def _see(self) -> tuple[list[Object], drains.Wanted]:
        call = self._call
        query = {"fieldSelector": f"spec.nodeName={self._info.name}", "labelSelector": call.flags["pod-selector"]}
        pods: list[Object] = (await call.ask("GET", "/api/v1/pods", query))["items"] or []
        trouble: dict[str, str] = {}
        missing: set[str] = set()
        for key in dict.fromkeys(filter(None, map(drains.daemon_set_of, pods))):
            namespace, _, name = key.partition("/")
            try:
                await call.ask("GET", f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}")
            except StatusError as refused:
                trouble[key] = str(refused)
                if refused.reason == "NotFound":
                    missing.add(key)
        wanted = drains.Wanted(
            now=call.clock.now(),
            force=call.flags["force"],
            ignore_daemon_sets=call.flags["ignore-daemonsets"],
            delete_local_data=call.flags["delete-emptydir-data"],
            skip_deleted_after_seconds=call.flags["skip-wait-for-delete-timeout"],
            daemon_sets=trouble,
            missing=frozenset(missing),
        )
        return pods, wanted

    # Evicting

    async def _evict(self, pods: tuple[Object, ...]) -> None:
        """All at one time."""
        results = await asyncio.gather(*(self._evict_one(pod) for pod in pods), return_exceptions=True)
        failed = [one for one in results if isinstance(one, BaseException)]
        for one in failed:
            if not isinstance(one, CommandError | StatusError):
                raise one
        if failed:
            raise problems.Several([one for one in failed if isinstance(one, CommandError | StatusError)])

    async def _evict_one(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        while True:
            dry = " (server dry run)" if self._how == writes.SERVER else ""
            self._say(f"evicting pod {_key(pod)}{dry}\n")
            if self._is_late():
                raise CommandError(
                    f'error when evicting pods/"{name}" -n "{_space(pod)}": global timeout reached: {self._limit()}'
                )
            try:
                await self._call.ask(
                    "POST", f"{_path(pod)}/eviction", writes.parameters(self._how), self._eviction(pod)
                )
                break
            except StatusError as refused:
                if refused.reason == "NotFound":
                    return
                where = f'error when evicting pods/"{name}" -n "{_space(pod)}"'
                if refused.code != 429:
                    raise CommandError(f"{where}: {refused}") from refused
                self._call.write_error(f"{where} (will retry after 5s): {refused}\n")
                await self._call.clock.sleep(RETRY_SECONDS)
        if self._how == writes.SERVER:
            return
        try:
            await self._wait([pod], "evicted")
        except (CommandError, StatusError) as failed:
            raise CommandError(
                f'error when waiting for pod "{name}" in namespace "{_space(pod)}" to terminate: {failed}'
            ) from failed

    def _eviction(self, pod: Object) -> Object:
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod["metadata"]["name"], "namespace": _space(pod)},
        }
        return eviction | ({"deleteOptions": options} if (options := self._options()) else {})

    def _options(self) -> Object:
        seconds = self._call.flags["grace-period"]
        return {"gracePeriodSeconds": seconds} if seconds >= 0 else {}

    # Deleting

    async def _delete(self, pods: tuple[Object, ...]) -> None:
        for pod in pods:
            body = {"apiVersion": "v1", "kind": "DeleteOptions", **self._options()}
            try:
                await self._call.ask("DELETE", _path(pod), writes.parameters(self._how), body)
            except StatusError as refused:
                if refused.reason != "NotFound":
                    raise
        if self._how != writes.SERVER:
            await self._wait(list(pods), "deleted")

    # Waiting

    async def _wait(self, pods: list[Object], done: str) -> None:
        """Until they are gone, each told as it is."""
        call = self._call
        while True:
            left = [pod for pod in pods if not await self._is_gone(pod, done)]
            if not left:
                return
            if self._is_late():
                raise CommandError(f"global timeout reached: {self._limit()}")
            pods = left
            await call.clock.sleep(LOOK_SECONDS)

    async def _is_gone(self, pod: Object, done: str) -> bool:
        call = self._call
        try:
            now = await call.ask("GET", _path(pod))
        except StatusError as refused:
            if refused.reason != "NotFound":
                raise
            now = None
        if now is None or now["metadata"]["uid"] != pod["metadata"]["uid"]:
            self._say(f"pod/{pod['metadata']['name']} {done}\n")
            return True
        seconds = call.flags["skip-wait-for-delete-timeout"]
        if drains.is_skipped(now, seconds, call.clock.now()):
            name = pod["metadata"]["name"]
            self._say(
                f"Skip waiting for pod {name} to be deleted: it has DeletionTimestamp older than {seconds} seconds\n"
            )
            return True
        return False

    async def _tell_what_is_left(self, failed: Exception) -> None:
        left = drains.classify(*await self._see())
        if left.pods:
            told = f'There are pending pods in node "{self._info.name}" when an error occurred: {failed}\n'
            self._call.write_error(told + "".join(f"pod/{pod['metadata']['name']}\n" for pod in left.pods))
        if left.errors:
            why = problems.together([CommandError(text) for text in left.errors])
            self._call.write_error(f"Following errors occurred while getting the list of pods to delete:\n{why}")

    def _is_late(self) -> bool:
        return self._until is not None and self._call.clock.monotonic() >= self._until

    def _limit(self) -> str:
        return times.format_duration(self._seconds) if self._seconds else FOR_EVER

    def _say(self, text: str) -> None:
        self._call.write(text)
        self._call.streams.flush()


def _key(pod: Object) -> str:
    return f"{_space(pod)}/{pod['metadata']['name']}"


def _space(pod: Object) -> str:
    return str(pod["metadata"]["namespace"])


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{_space(pod)}/pods/{pod['metadata']['name']}"
