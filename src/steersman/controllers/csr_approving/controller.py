"""What the approver watches and sees: whether a sender has the right to a certificate is asked live."""

import orjson

from steersman.api import kinds
from steersman.client import requests
from steersman.controllers.csr_approving import decide
from steersman.controllers.csr_approving.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.serving.messages import Request


def controller() -> Controller:
    return Controller(
        name="certificatesigningrequest-approving-controller",
        watches=(Watch(kinds.CERTIFICATE_SIGNING_REQUEST, lambda caches, obj: (objects.key(obj),)),),
        observe=observe,
        decide=decide.decide,
    )


async def observe(look: Look, key: str) -> Seen | None:
    request = look.caches.of(kinds.CERTIFICATE_SIGNING_REQUEST).get(key)
    if request is None:
        return None
    for one in decide.recognized(request):
        if await may(look, request["spec"], one.subresource):
            return Seen(request, one)
    return Seen(request, None)


async def may(look: Look, spec: Object, subresource: str) -> bool:
    """Whether the sender of a request may `create` `certificatesigningrequests/SUBRESOURCE`."""
    wish = {
        "group": "certificates.k8s.io",
        "resource": "certificatesigningrequests",
        "verb": "create",
        "subresource": subresource,
        "version": "*",
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": spec.get("username", ""),
            "uid": spec.get("uid", ""),
            "groups": spec.get("groups") or [],
            "extra": spec.get("extra") or {},
            "resourceAttributes": wish,
        },
    }
    place = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    response = await look.client.request(Request("POST", place, body=orjson.dumps(body)))
    if response.status >= 300:
        raise requests.refusal(response.status, response.body, response.headers)
    return bool(orjson.loads(response.body)["status"].get("allowed"))
