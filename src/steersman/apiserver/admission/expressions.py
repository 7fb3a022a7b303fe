"""What the expressions of webhooks and policies see of a write, as values of their variables."""

from typing import Any

from steersman.api.cel.library import authorization as questions
from steersman.api.kind import Kind
from steersman.api.policies import environments
from steersman.apiserver import attributes, users
from steersman.apiserver import questions as asked
from steersman.apiserver.admission import requests
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.authorization import Authorizer
from steersman.meta.objects import Object


def inputs(
    review: Review, kind: Kind, obj: Object | None, old: Object | None, authorizer: Authorizer, **more: Any
) -> dict[str, Any]:
    """By name. `kind` is the version that `obj` and `old` are in; `more` are params and namespaceObject."""
    request = requests.request(review, "", kind, obj, old)
    asking = questions.Authorizer(_decider(authorizer, review.call.user))
    return {
        "object": obj,
        "oldObject": old,
        "request": environments.request_value(request),
        "params": None,
        "namespaceObject": None,
        "authorizer": asking,
        environments.REQUEST_RESOURCE: _of_request(asking, request),
        **more,
    }


def _of_request(asking: questions.Authorizer, request: Object) -> questions.ResourceCheck:
    """A question about the resource that is written; only the verb is open."""
    resource = request["requestResource"]
    return questions.ResourceCheck(
        asking.decide,
        questions.Question(
            "",
            group=resource["group"],
            resource=resource["resource"],
            subresource=request.get("requestSubResource", ""),
            namespace=request.get("namespace", ""),
            name=request.get("name", ""),
        ),
    )


def _decider(authorizer: Authorizer, user: users.User) -> questions.Decide:
    def decide(question: questions.Question) -> questions.Decision:
        asker = user
        if question.service_account is not None:
            asker = users.service_account(*question.service_account)
        answer = authorizer.decide(asker, _asked(question))
        return questions.Decision(answer.allowed, answer.reason)

    return decide


def _asked(question: questions.Question) -> attributes.Attributes:
    if question.path:
        return attributes.Attributes(question.verb, path=question.path)
    resource = f"{question.resource}/{question.subresource}" if question.subresource else question.resource
    return attributes.Attributes(
        question.verb,
        question.group,
        "*",
        resource,
        question.namespace,
        question.name,
        fields=asked.of_text(question.field_selector),
    )
