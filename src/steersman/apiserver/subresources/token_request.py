"""`serviceaccounts/NAME/token`: a signed token for an account, bound to a pod, node or secret if asked.

Source: authentication.k8s.io/v1 TokenRequest.
"""

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded, negotiation, tokens, writing
from steersman.apiserver.admission import chain
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.call import Call
from steersman.meta import errors, times
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object
from steersman.serving import messages

_BOUND: dict[tuple[str, str], Kind] = {
    ("v1", "Pod"): kinds.POD,
    ("v1", "Secret"): kinds.SECRET,
    ("v1", "Node"): kinds.NODE,
}


class TokenRequests:
    def __init__(
        self,
        objects: decoded.DecodedObjects,
        clock: clocks.Clock,
        key: tokens.TokenKey | None,
        audiences: tuple[str, ...],
        writer: writing.Writer,
        admission: chain.Chain,
    ) -> None:
        self._objects = objects
        self._writer = writer
        self._admission = admission
        self._clock = clock
        self._key = key
        self._audiences = audiences

    async def answer(self, call: Call) -> messages.Response:
        if self._key is None:
            raise errors.no_route()
        request = await self._admitted(call, negotiation.read_object(call.request))
        spec = request.get("spec") or {}
        account = await self._objects.get(kinds.SERVICE_ACCOUNT, call.target.namespace, call.target.name)
        if account is None:
            raise call.not_found()
        seconds = _seconds(spec)
        audiences = spec.get("audiences") or list(self._audiences)
        bound, node = await self._bound(call, account, spec.get("boundObjectRef"))
        token, expires = self._key.sign(
            account,
            audiences=audiences,
            now=self._clock.now(),
            seconds=seconds,
            token_id=self._clock.uid(),
            bound=bound,
            node=node,
        )
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": call.target.name,
                "namespace": call.target.namespace,
                "creationTimestamp": times.format_seconds(self._clock.now()),
            },
            "spec": {**spec, "audiences": audiences, "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": times.format_seconds(expires)},
        }
        return negotiation.respond(call.form, answer, 201, pretty=call.pretty)

    async def _admitted(self, call: Call, request: Object) -> Object:
        review = Review(call, "CREATE", self._writer.typed(call, request))
        await self._admission.admit(review)
        return review.new

    async def _bound(self, call: Call, account: Object, reference: object) -> tuple[Object | None, Object | None]:
        """The object a token is bound to and, for a pod, the node it is on. Raises StatusError 400, 404, 409."""
        if not isinstance(reference, dict) or not reference:
            return None, None
        kind = _BOUND.get((str(reference.get("apiVersion", "")), str(reference.get("kind", ""))))
        if kind is None:
            why = f'cannot bind token for serviceaccount "{call.target.name}" to object type {reference.get("kind")}'
            raise errors.bad_request(why)
        name, namespace = str(reference.get("name", "")), call.target.namespace
        bound = await self._objects.get(kind, namespace, name)
        if bound is None:
            raise errors.not_found(kind.plural, name)
        uid = reference.get("uid")
        if uid and uid != bound["metadata"].get("uid"):
            why = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise errors.conflict(kind.plural, name, why)
        if kind is not kinds.POD:
            return bound, None
        spec = bound.get("spec") or {}
        if spec.get("serviceAccountName") != account["metadata"]["name"]:
            raise errors.bad_request(
                f'cannot bind token for serviceaccount "{call.target.name}" to pod running with different serviceaccount name.'
            )
        node_name = spec.get("nodeName", "")
        node = await self._objects.get(kinds.NODE, "", node_name) if node_name else None
        return bound, node


def _seconds(spec: Object) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return tokens.DEFAULT_SECONDS
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise errors.bad_request(
            "json: cannot unmarshal into Go struct field TokenRequestSpec.spec.expirationSeconds of type int64"
        )
    why = ""
    if seconds < tokens.MIN_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > tokens.MAX_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        cause = FieldError("spec.expirationSeconds", "FieldValueInvalid", f"Invalid value: {seconds}: {why}")
        raise errors.invalid("TokenRequest", "", [cause], "authentication.k8s.io")
    return seconds
