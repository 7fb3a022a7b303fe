"""What a client is told where a request came to nothing: refusals, a store that does not take it, and what nobody expected."""

import logging

from steersman.apiserver import depth, negotiation
from steersman.meta import errors
from steersman.serving import messages
from steersman.store import contract

log = logging.getLogger(__name__)


def response(request: messages.Request, refusal: errors.StatusError) -> messages.Response:
    made = negotiation.respond(negotiation.form_of_refusal(request), refusal.status, refusal.code)
    if refusal.retry_after_seconds is not None:
        made.headers["retry-after"] = str(refusal.retry_after_seconds)
    if refusal.code == 401:
        made.headers["www-authenticate"] = 'Bearer realm="kubernetes-master"'
    return made


def of_store(request: messages.Request, failure: contract.StoreError) -> messages.Response:
    """What a client may do about it: try again, look first, or send something smaller."""
    log.warning("%s %s: the store: %s", request.method, request.path, failure)
    if isinstance(failure, contract.Refused):
        return response(request, errors.too_large(f"the store does not take it: {failure}"))
    if isinstance(failure, contract.Unavailable):
        return response(request, errors.unavailable(f"the store is not available: {failure}"))
    return response(request, errors.timed_out(f"Timeout: the outcome of the request is not known: {failure}"))


def of_failure(request: messages.Request, failure: Exception) -> messages.Response:
    """Nobody expected it; what a patch or a conversion nested too deep is still the client's."""
    if depth.is_too_deep(failure):
        return response(request, depth.refusal())
    log.error("%s %s failed", request.method, request.path, exc_info=failure)
    return response(request, errors.internal("the server was unable to complete your request"))
