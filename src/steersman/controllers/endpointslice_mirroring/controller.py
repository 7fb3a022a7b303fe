"""What the EndpointSlice mirroring controller watches and sees."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes
from steersman.controllers.endpointslice import slices
from steersman.controllers.endpointslice_mirroring import decide
from steersman.controllers.endpointslice_mirroring.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="endpoint-slice-mirroring-controller",
        watches=(
            Watch(kinds.ENDPOINTS, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.SERVICE, lambda caches, obj: (objects.key(obj),), _matters),
            Watch(kinds.ENDPOINT_SLICE, _keys_of_slice),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(indexes.by_label(kinds.ENDPOINT_SLICE),),
    )


def observe(look: Look, key: str) -> Seen | None:
    space, name = objects.split_key(key)
    named = look.caches.of(kinds.ENDPOINT_SLICE).by_index(indexes.LABEL, f"{space}/{slices.SERVICE_NAME}={name}")
    own = [one for one in named if _is_ours(one) and not objects.is_terminating(one)]
    found = look.caches.of(kinds.ENDPOINTS).get(key)
    if found is None and not own:
        return None
    return Seen(look.caches.of(kinds.SERVICE).get(key), found, own)


def _keys_of_slice(caches: Caches, found: Object) -> Iterable[str]:
    name = objects.labels(found).get(slices.SERVICE_NAME)
    return (f"{objects.namespace(found)}/{name}",) if name and _is_ours(found) else ()


def _is_ours(found: Object) -> bool:
    return objects.labels(found).get(slices.MANAGED_BY) == decide.MANAGER


def _matters(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or _has_selector(old) != _has_selector(new)


def _has_selector(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("selector"))
