"""What the autoscaler controller watches and sees, and what it remembers: recommendations and scalings of the last hour.

An autoscaler is looked at when its spec changes and every 15 seconds. Metrics are always read live.
"""

from collections.abc import Sequence

from steersman.api import kinds
from steersman.api.kind import Kind, Kinds
from steersman.client.client import Unreachable
from steersman.controllers import indexes, scales
from steersman.controllers.decision import Decision
from steersman.controllers.horizontal_pod_autoscaler import decide
from steersman.controllers.horizontal_pod_autoscaler.behavior import History
from steersman.controllers.horizontal_pod_autoscaler.decide import Seen
from steersman.controllers.horizontal_pod_autoscaler.metrics import Values
from steersman.controllers.horizontal_pod_autoscaler.sources import Sources
from steersman.controllers.known_kinds import KnownKinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, selectors
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.meta.selectors import Selector


def controller(served: Kinds = kinds.BUILTIN) -> Controller:
    return _Scaler(served).controller()


class _Scaler:
    def __init__(self, served: Kinds) -> None:
        self._kinds = KnownKinds(served)
        self._histories: dict[str, History] = {}  # by uid
        self._selectors: dict[
            str, tuple[str, Selector]
        ] = {}  # of the pods of each autoscaler, by key; with its namespace

    def controller(self) -> Controller:
        return Controller(
            name="horizontal-pod-autoscaler",
            watches=(
                Watch(kinds.HORIZONTAL_POD_AUTOSCALER, lambda caches, obj: (objects.key(obj),), _matters, self._forget),
                Watch(kinds.POD),
            ),
            observe=self.observe,
            decide=self.decide,
            indexes=(indexes.by_label(kinds.POD),),
            custom=self._kinds,
        )

    # Deciding

    def decide(self, seen: Seen) -> Decision:
        outcome = decide.evaluate(seen)
        self._histories[objects.uid(seen.autoscaler)] = outcome.history
        return outcome.decision

    def _forget(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            self._histories.pop(objects.uid(old), None)
            self._selectors.pop(objects.key(old), None)

    # Observing

    async def observe(self, look: Look, key: str) -> Seen | None:
        autoscaler = look.caches.of(kinds.HORIZONTAL_POD_AUTOSCALER).get(key)
        if autoscaler is None or objects.is_terminating(autoscaler):
            return None
        kind, scale = await self._scale(look, autoscaler)
        history = self._histories.get(objects.uid(autoscaler), History())
        if isinstance(scale, str):
            return Seen(autoscaler, kind, scale, (), (), history, look.now)
        text = str((scale.get("status") or {}).get("selector") or "")
        refusal, pods = self._pods(look, autoscaler, text)
        values = () if refusal else await self._values(look, autoscaler, text)
        return Seen(autoscaler, kind, scale, pods, values, history, look.now, refusal)

    async def _scale(self, look: Look, autoscaler: Object) -> tuple[Kind | None, Object | str]:
        """Of the target, or why there is none."""
        reference = autoscaler["spec"].get("scaleTargetRef") or {}
        version, name = str(reference.get("apiVersion", "")), str(reference.get("name", ""))
        kind = self._kinds.of(version, str(reference.get("kind", "")))
        if kind is None:
            group = version.rpartition("/")[0]
            return None, f'no matches for kind "{reference.get("kind")}" in group "{group}"'
        try:
            found = await scales.get(look.client, kind, name, objects.namespace(autoscaler))
        except scales.NotScalable:
            return kind, "the server could not find the requested resource"
        except (StatusError, Unreachable) as why:
            return kind, str(why)
        return kind, found if found is not None else f'{kind.resource} "{name}" not found'

    def _pods(self, look: Look, autoscaler: Object, text: str) -> tuple[tuple[str, str] | None, list[Object]]:
        """The target's pods, or why they cannot be told."""
        key, namespace = objects.key(autoscaler), objects.namespace(autoscaler)
        self._selectors.pop(key, None)
        if not text:
            return ("SelectorRequired", "the HPA target's scale is missing a selector"), []
        try:
            selector = selectors.parse(text)
        except selectors.SelectorError as why:
            return (
                "InvalidSelector",
                f"couldn't convert selector into a corresponding internal selector object: {why}",
            ), []
        self._selectors[key] = namespace, selector
        pods = indexes.selected(look.caches.of(kinds.POD), namespace, selector)
        rivals = self._rivals(namespace, pods)
        if len(rivals) > 1:
            listed = " ".join(f"{{{one.partition('/')[2]} {namespace}}}" for one in rivals)
            return ("AmbiguousSelector", f"pods by selector {text} are controlled by multiple HPAs: [{listed}]"), pods
        return None, pods

    def _rivals(self, namespace: str, pods: Sequence[Object]) -> list[str]:
        """The autoscalers that scale any of these pods."""
        here = {key: one for key, (space, one) in self._selectors.items() if space == namespace}
        if len(here) < 2:
            return list(here)
        labels = [objects.labels(pod) for pod in pods]
        return sorted(key for key, one in here.items() if any(map(one.matches, labels)))

    async def _values(self, look: Look, autoscaler: Object, selector: str) -> list[Values]:
        sources = Sources(look.client, objects.namespace(autoscaler), selector, self._kinds.of)
        return [await sources.values(metric) for metric in autoscaler["spec"].get("metrics") or ()]


def _matters(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or old.get("spec") != new.get("spec")
