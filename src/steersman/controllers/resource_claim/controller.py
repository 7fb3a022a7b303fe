"""What the controller of ResourceClaims watches and sees. Keys are `pod:NAMESPACE/NAME` and `claim:NAMESPACE/NAME`."""

from collections.abc import Iterable

from steersman.api import devices, kinds
from steersman.client.cache import Caches
from steersman.controllers import live
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.resource_claim import decide
from steersman.controllers.resource_claim.decide import SeenClaim, SeenPod
from steersman.meta import objects, owners
from steersman.meta.objects import Object

OWNER = "owner-pod"  # claims by the uid of the pod that owns them
TEMPLATE = "resource-claim-template"  # pods by the keys of the templates they name


def controller() -> Controller:
    return Controller(
        name="resource_claim",
        watches=(
            Watch(kinds.POD, keys_of_pod),
            Watch(kinds.RESOURCE_CLAIM, keys_of_claim),
            Watch(kinds.RESOURCE_CLAIM_TEMPLATE, keys_of_template),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.RESOURCE_CLAIM, OWNER, _owner), Index(kinds.POD, TEMPLATE, _templates)),
        workers=10,
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    if pod["spec"].get("resourceClaims"):
        yield f"pod:{objects.key(pod)}"
    space = objects.namespace(pod)
    yield from (f"claim:{space}/{claim}" for _, claim in devices.all_claim_names(pod) if claim)


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    yield f"claim:{objects.key(claim)}"
    reference = owners.controller_of(claim)
    if reference is not None and reference["kind"] == "Pod":
        yield f"pod:{objects.namespace(claim)}/{reference['name']}"


def keys_of_template(caches: Caches, template: Object) -> Iterable[str]:
    for pod in caches.of(kinds.POD).by_index(TEMPLATE, objects.key(template)):
        yield f"pod:{objects.key(pod)}"


async def observe(look: Look, key: str) -> SeenPod | SeenClaim | None:
    what, _, key = key.partition(":")
    return _pod(look, key) if what == "pod" else await _claim(look, key)


def _pod(look: Look, key: str) -> SeenPod | None:
    pod = look.caches.of(kinds.POD).get(key)
    if pod is None or not pod["spec"].get("resourceClaims"):
        return None
    templates = look.caches.of(kinds.RESOURCE_CLAIM_TEMPLATE)
    found = {objects.name(one): one for one in templates.list(objects.namespace(pod))}
    return SeenPod(pod, look.caches.of(kinds.RESOURCE_CLAIM).by_index(OWNER, objects.uid(pod)), found)


async def _claim(look: Look, key: str) -> SeenClaim | None:
    """A pod that the cache does not show is asked for: on a stale view its devices would be taken from it."""
    claim = look.caches.of(kinds.RESOURCE_CLAIM).get(key)
    if claim is None:
        return None
    users = {}
    for consumer in devices.reserved_for(claim):
        if consumer.get("resource") == "pods":
            pod = await _there(look, objects.namespace(claim), consumer["name"], consumer["uid"])
            if pod is not None:
                users[consumer["uid"]] = pod
    reference = owners.controller_of(claim)
    owner = None
    if reference is not None and reference["kind"] == "Pod":
        owner = look.caches.of(kinds.POD).get(f"{objects.namespace(claim)}/{reference['name']}")
        if owner is not None and objects.uid(owner) != reference["uid"]:
            owner = None
    return SeenClaim(claim, users, owner)


async def _there(look: Look, namespace: str, name: str, uid: str) -> Object | None:
    pod = look.caches.of(kinds.POD).get(f"{namespace}/{name}")
    if pod is None or objects.uid(pod) != uid:
        pod = await live.get(look.client, kinds.POD, name, namespace)
    return pod if pod is not None and objects.uid(pod) == uid else None


def _owner(claim: Object) -> tuple[str, ...]:
    reference = owners.controller_of(claim)
    return (reference["uid"],) if reference is not None and reference["kind"] == "Pod" else ()


def _templates(pod: Object) -> list[str]:
    space = objects.namespace(pod)
    listed = pod["spec"].get("resourceClaims") or ()
    return [f"{space}/{one['resourceClaimTemplateName']}" for one in listed if one.get("resourceClaimTemplateName")]
