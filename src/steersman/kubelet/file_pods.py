"""The node's static pods: each good file of a folder is a pod that runs here, and shows in the API as its mirror.

Keeps true: a pod whose file went ends, one whose file came begins once its name is free. Leaves to others: what a file says
(`static_pods`), reading it (`static_pod_folder`), the mirror itself (`mirror_pods`).
"""

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping

from steersman.kubelet import folder_watch, static_pods
from steersman.kubelet.mirror_pods import MirrorPods
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.kubelet.static_pod_folder import StaticPodFolder
from steersman.meta import objects, times
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

FOLDER_SECONDS = 10.0  # whether there is a folder now


class FilePods:
    """`folder` None: this node has none. `workers`: of all its pods, by uid. `admit`: begin a pod, or refuse it."""

    def __init__(
        self,
        node: NodeServices,
        folder: StaticPodFolder | None,
        mirrors: MirrorPods,
        workers: Mapping[str, PodWorker],
        admit: Callable[[Object], None],
    ) -> None:
        self._node = node
        self._folder = folder
        self._mirrors = mirrors
        self._workers = workers
        self._admit = admit
        self._ended: dict[str, Object] = {}
        self.wanted: dict[str, Object] = {}

    def read(self) -> None:
        """What files ask for now, before any of it begins."""
        self.wanted = self._folder.look() if self._folder is not None else {}

    def start(self) -> None:
        """Look from now on: when something happens in the folder, and now and then."""
        if self._folder is not None:
            self._look(self._folder)
            self._node.tasks.start("static pod files", self._follow(self._folder))

    def as_shown(self, pods: Iterable[Object], in_the_api: Iterable[Object]) -> list[Object]:
        """`pods`, the static ones among them as an earlier kubelet told of them."""
        shown = {static_pods.hash_of(one): one for one in in_the_api if static_pods.is_mirror(one)}
        return [static_pods.as_shown(pod, shown.get(objects.uid(pod))) for pod in pods]

    def has_ended(self, worker: PodWorker) -> None:
        """If its file is there, it went and came back: the pod begins again, and its restarts are counted."""
        if worker.uid in self.wanted:
            self._ended[worker.uid] = worker.shown_pod()["status"]

    def _look(self, folder: StaticPodFolder) -> None:
        self.wanted = wanted = folder.look()
        gone = folder.take_gone()
        now = times.format_seconds(self._node.clock.now())
        taken = set()
        for uid, worker in self._workers.items():
            if static_pods.is_static(worker.pod):
                taken.add(objects.key(worker.pod))
                if (uid not in wanted or uid in gone) and not objects.is_terminating(worker.pod):
                    worker.change(static_pods.ending(worker.pod, now))
        for uid, pod in wanted.items():
            if uid not in self._workers and objects.key(pod) not in taken:
                self._admit(static_pods.come_back(pod, self._ended.pop(uid, {})))
        here = (worker.pod for worker in self._workers.values())
        self._mirrors.want({objects.uid(pod): pod for pod in here if static_pods.is_static(pod)})
        seconds = self._node.options.static_pods_seconds
        self._node.alarms.set("static pods", seconds, lambda: self._look(folder))

    async def _follow(self, folder: StaticPodFolder) -> None:
        """Not to wait for the next look, and not to miss a file that is taken away and put back."""
        while True:
            try:
                async with contextlib.aclosing(folder_watch.changes(folder.folder)) as changes:
                    async for name, gone in changes:
                        if gone:
                            folder.is_gone(name)
                        self._look(folder)
            except OSError as failure:  # there is no such folder yet, perhaps
                _log.info("static pods are looked for now and then only: %s", failure)
            await self._node.clock.sleep(FOLDER_SECONDS)
