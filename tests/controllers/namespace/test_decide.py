"""How a namespace is emptied: pods first, then the rest, then it may go."""

from typing import Any

from steersman.api import kinds
from steersman.controllers.decision import Delete, DeleteCollection, Failure, Update, UpdateStatus
from steersman.controllers.namespace import decide
from steersman.controllers.namespace.decide import Seen
from tests.controllers import shapes


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


NAMESPACE = {
    "metadata": {"name": "shop", "uid": "ns", "resourceVersion": "8", "deletionTimestamp": shapes.STAMP},
    "spec": {"finalizers": ["kubernetes", "mine"]},
    "status": {"phase": "Terminating"},
}


def thing(name, **meta):
    return {"metadata": {"name": name, "namespace": "shop", "uid": name, **meta}}


def deleted(decision):
    return [one.name for one in decision.actions if isinstance(one, Delete)]


def message(decision, name):
    [status] = [one for one in decision.actions if isinstance(one, UpdateStatus)]
    return shapes.condition(status.obj, name)["message"]


def test_pods_go_first():
    contents = {kinds.CONFIG_MAP: [thing("c")], kinds.POD: [thing("p"), thing("q", deletionTimestamp=shapes.STAMP)]}
    decision = decided(Seen(NAMESPACE, contents, False, shapes.NOW))
    assert deleted(decision) == ["p"]
    assert message(decision, "NamespaceContentRemaining") == (
        "Some resources are remaining: configmaps. has 1 resource instances, pods. has 2 resource instances"
    )


def test_then_the_rest():
    decision = decided(Seen(NAMESPACE, {kinds.CONFIG_MAP: [thing("c")], kinds.POD: []}, False, shapes.NOW))
    assert deleted(decision) == ["c"]


def test_what_was_listed_goes_in_one_request():
    contents = {kinds.EVENT: [thing("a"), thing("b")], kinds.CONFIG_MAP: [thing("c")]}
    decision = decided(Seen(NAMESPACE, contents, True, shapes.NOW))
    assert [one for one in decision.actions if isinstance(one, DeleteCollection)] == [
        DeleteCollection(kinds.EVENT, "shop")
    ]
    assert deleted(decision) == ["c"]
    again = decided(Seen(NAMESPACE, {kinds.EVENT: [thing("a", deletionTimestamp=shapes.STAMP)] * 2}, True, shapes.NOW))
    assert [type(one) for one in again.actions] == [UpdateStatus]


def test_finalizers_of_the_contents_are_named():
    held = thing("c", deletionTimestamp=shapes.STAMP, finalizers=["a/b"])
    decision = decided(Seen(NAMESPACE, {kinds.CONFIG_MAP: [held]}, False, shapes.NOW))
    assert deleted(decision) == []
    assert message(decision, "NamespaceFinalizersRemaining") == (
        "Some content in the namespace has finalizers remaining: a/b in 1 resource instances"
    )


def test_a_refusal_is_told():
    failure = Failure("delete", "pods", "forbidden")
    decision = decided(Seen(NAMESPACE, {kinds.POD: [thing("p")]}, False, shapes.NOW, failure))
    assert message(decision, "NamespaceDeletionContentFailure") == (
        "Failed to delete all resource types, 1 remaining: forbidden"
    )


def test_it_goes_when_live_lists_are_empty():
    decision = decided(Seen(NAMESPACE, {kinds.POD: []}, True, shapes.NOW))
    final = decision.actions[-1]
    assert isinstance(final, Update)
    assert (final.subresource, final.obj["spec"]["finalizers"]) == ("finalize", ["mine"])


def test_a_cache_that_looks_empty_is_not_enough():
    assert decided(Seen(NAMESPACE, {kinds.POD: []}, False, shapes.NOW)).actions == ()


def test_what_an_extension_server_has_and_does_not_say_holds_the_namespace():
    decision = decided(Seen(NAMESPACE, {kinds.CONFIG_MAP: []}, True, shapes.NOW, unknown=("a.example.com/v1",)))
    assert not any(isinstance(one, Update) for one in decision.actions)
    assert message(decision, "NamespaceDeletionDiscoveryFailure") == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "a.example.com/v1: stale GroupVersion discovery: a.example.com/v1"
    )
    assert decision.again_after_seconds == decide.UNKNOWN_AGAIN_SECONDS
