"""Admission webhooks and conversion webhooks, answered by a pod behind a Service."""

from collections.abc import Callable

import pytest

from tests.conformance import custom, hooks
from tests.conformance.hooks import Registered, in_force, rule, webhook
from tests.conformance.live import IMAGE, Object, Refused, Space, names, pod, refusal, unique, wait

BAD: Object = {"data": {"webhook-e2e-test": "webhook-disallow"}}
START: Object = {"data": {"mutation-start": "yes"}}
STAGES = {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}


def named(body: Object, name: str) -> Object:
    return body | {"metadata": {"name": name}}


def test_deny_pods_and_configmaps(space: Space) -> None:
    configmaps = webhook(space, "/configmaps", rule("configmaps", "CREATE", "UPDATE", "DELETE"))
    pods = webhook(space, "/pods", rule("pods"))
    with Registered(space, "validating", configmaps, pods):
        in_force(space, BAD)
        with pytest.raises(Refused, match="403") as refused:
            space.create("configmaps", named(BAD, "bad"))
        said = 'admission webhook "configmaps.k8s.io" denied the request: the configmap contains unwanted key and value'
        assert refused.value.message == said
        with pytest.raises(Refused, match="unwanted container name"):
            space.create("pods", pod("webhook-disallow", nodeSelector={"no": "node"}))
        with pytest.raises(AssertionError, match="the configmap contains unwanted key and value"):
            space.kubectl("create", "configmap", "bad", "--from-literal=webhook-e2e-test=webhook-disallow")
        good = space.create("configmaps", {"metadata": {"name": "good"}})
        with pytest.raises(Refused, match="the configmap contains unwanted key and value"):
            space.api.update(space.path("configmaps", "good"), good | BAD)
        with pytest.raises(Refused, match="the configmap contains unwanted key and value"):
            space.api.patch(space.path("configmaps", "good"), BAD)
        elsewhere = Space.made(space.api, f"{space.name}-skipped")
        elsewhere.create("configmaps", named(BAD, "bad"))
        space.api.delete(f"/api/v1/namespaces/{elsewhere.name}")


def test_deny_attach(space: Space) -> None:
    space.create("pods", pod("to-be-attached-pod", "exec sleep 100000"))
    space.running("to-be-attached-pod")
    with Registered(space, "validating", webhook(space, "/pods/attach", rule("pods/attach", "CONNECT"))):

        def refused() -> bool:
            said = space.kubectl("attach", "to-be-attached-pod", "--request-timeout=5s", code=1)
            return "attaching to pod 'to-be-attached-pod' is not allowed" in said

        wait("attaching is denied", refused)


def test_deny_custom_resources(space: Space) -> None:
    foo = custom.made(space.api, custom.definition())
    root = foo.root(namespace=space.name)
    kept = space.api.create(root, foo.body("kept", data={"webhook-e2e-test": "webhook-disallow"}))
    hook = webhook(space, "/custom-resource", rule(foo.plural, "CREATE", "UPDATE", "DELETE", group=foo.group))
    with Registered(space, "validating", hook) as registered:
        wait(
            "it is in force",
            lambda: denied(lambda: space.api.create(root, foo.body(unique("m"), data=kept["data"]))),
        )
        for attempt in (
            lambda: space.api.create(root, foo.body("bad", data={"webhook-e2e-test": "webhook-disallow"})),
            lambda: space.api.patch(f"{root}/kept", {"data": {"more": "x"}}),
            lambda: space.api.delete(f"{root}/kept"),
        ):
            with pytest.raises(Refused, match="the custom resource contains unwanted data"):
                attempt()
        space.api.delete(registered.address)
    wait("it is out of force", lambda: not denied(lambda: space.api.delete(f"{root}/kept")))
    foo.end()


def denied(attempt: Callable[[], object]) -> bool:
    refused = refusal(attempt)
    assert refused is None or "denied the request" in refused.message
    return refused is not None


def test_deny_definitions(space: Space) -> None:
    hook = webhook(
        space,
        "/crd",
        rule("customresourcedefinitions", group="apiextensions.k8s.io"),
        objectSelector={"matchLabels": {"webhook-e2e-test": space.name}},
    )
    with Registered(space, "validating", {k: v for k, v in hook.items() if k != "namespaceSelector"}):

        def refused() -> bool:
            wanted = custom.definition()
            wanted["metadata"]["labels"] = {"webhook-e2e-test": space.name}
            try:
                space.api.create(custom.DEFINITIONS, wanted, dryRun="All")
            except Refused as problem:
                return "the crd contains unwanted label" in problem.message
            return False

        wait("the definition is denied", refused)


def test_an_absent_webhook_fails_closed(space: Space) -> None:
    absent = webhook(space, "/configmaps", rule("configmaps"), name="fail-closed.k8s.io", failurePolicy="Fail")
    absent["clientConfig"] = {"service": absent["clientConfig"]["service"]}  # nobody vouches for it
    with Registered(space, "validating", absent):
        in_force(space, {}, "failed calling webhook")
        with pytest.raises(
            Refused,
            match=r'500 InternalError.*failed calling webhook "fail-closed.k8s.io": failed to call webhook: Post "https://hooks',
        ):
            space.create("configmaps", {"metadata": {"name": "a"}})


TIMEOUTS = {
    "short, fail": (1, "Fail", False),
    "short, ignore": (1, "Ignore", True),
    "long": (10, "Fail", True),
    "default": (None, "Fail", True),
}


@pytest.mark.parametrize("case", TIMEOUTS)
def test_timeouts(space: Space, case: str) -> None:
    seconds, policy, made = TIMEOUTS[case]
    slow = webhook(space, "/always-allow-delay-5s", rule("configmaps"), failurePolicy=policy, timeoutSeconds=seconds)
    if seconds is None:
        del slow["timeoutSeconds"]
    body: Object = {"metadata": {"name": "a", "labels": {"slow": "yes"}}}
    slow["objectSelector"] = {"matchLabels": {"slow": "yes"}}
    slow_name = slow["name"]
    quick = webhook(
        space,
        "/always-deny",
        rule("configmaps"),
        objectSelector={"matchExpressions": [{"key": "slow", "operator": "DoesNotExist"}]},
    )
    with Registered(space, "validating", slow, quick):
        in_force(space, {})
        if made:
            space.create("configmaps", body)
            return
        with pytest.raises(Refused, match="500 InternalError") as refused:
            space.create("configmaps", body)
        assert f'failed calling webhook "{slow_name}": failed to call webhook: Post ' in refused.value.message
        assert "/always-allow-delay-5s?timeout=1s" in refused.value.message
        assert "context deadline exceeded" in refused.value.message


def test_mutations_in_order(space: Space) -> None:
    first = webhook(space, "/mutating-configmaps", rule("configmaps"), name="stage-1.k8s.io")
    second = first | {"name": "stage-2.k8s.io"}
    with Registered(space, "mutating", first, second):
        wait(
            "both stages",
            lambda: space.create("configmaps", START | {"metadata": {"generateName": "m-"}})["data"] == STAGES,
        )


def test_a_pod_is_defaulted_after_its_mutation(space: Space) -> None:
    with Registered(space, "mutating", webhook(space, "/mutating-pods", rule("pods"))):

        def look() -> list[Object]:
            body = pod("p", nodeSelector={"no": "node"}) | {"metadata": {"generateName": "p-"}}
            found: list[Object] = space.create("pods", body)["spec"].get("initContainers", [])
            return found

        added = wait("the init container is added", look)[0]
        assert added["name"] == "webhook-added-init-container"
        assert added["image"] == IMAGE
        assert added["terminationMessagePolicy"] == "File"


def test_configurations_are_out_of_reach(space: Space) -> None:
    group = "admissionregistration.k8s.io"
    kinds = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    rules = [rule(kind, "CREATE", "UPDATE", "DELETE", group=group) for kind in kinds]
    everywhere: Object = {"namespaceSelector": {}, "objectSelector": {"matchLabels": {"e2e": space.name}}}
    marker = webhook(space, "/always-deny", rule("configmaps"), name="marker.k8s.io")
    deny = webhook(space, "/always-deny", *rules, **everywhere)
    change = webhook(space, "/add-label", *rules, **everywhere)
    with Registered(space, "validating", deny, marker), Registered(space, "mutating", change):
        in_force(space, {})
        for kind in ("validating", "mutating"):
            nothing = webhook(
                space, "/always-allow", rule("nothings"), objectSelector={"matchLabels": {"no": "object"}}
            )
            with Registered(space, kind, nothing, labels={"e2e": space.name}) as made:
                assert space.api.get(made.address)["metadata"]["labels"] == {"e2e": space.name}
                space.api.delete(made.address)


def test_mutated_custom_resources(space: Space) -> None:
    """Pruned after the mutation, and also when another version is stored than is asked for."""
    schema = {
        "type": "object",
        "properties": {
            "data": {
                "type": "object",
                "properties": {"mutation-start": {"type": "string"}, "mutation-stage-1": {"type": "string"}},
            }
        },
    }
    pruned = custom.made(space.api, custom.definition(schema))
    free = custom.made(space.api, custom.definition(versions=("v1", "v2")))
    for foo, expect in ((pruned, {"mutation-start", "mutation-stage-1"}), (free, set(STAGES))):
        root = foo.root(namespace=space.name)
        rules = rule(foo.plural, "CREATE", "UPDATE", group=foo.group)
        hook = webhook(space, "/mutating-custom-resource", rules, name="stage-1.k8s.io")
        with Registered(space, "mutating", hook, hook | {"name": "stage-2.k8s.io"}):
            wait(
                "it is mutated",
                lambda: space.api.create(root, foo.body(unique("m"), data=START["data"]))["data"].keys() == expect,
            )
            if foo is free:
                one = f"{root}/{space.api.create(root, foo.body('one', data=START['data']))['metadata']['name']}"
                change = [{"op": "replace", "path": f"/spec/versions/{n}/storage", "value": bool(n)} for n in (0, 1)]
                space.api.patch(foo.definition, change, "json")
                patched = wait(
                    "the patch is taken",
                    lambda: space.api.patch(one, {"data": {"mutation-stage-1": None, "mutation-stage-2": None}}),
                )
                assert patched["data"] == STAGES
        foo.end()


@pytest.mark.parametrize("kind", ["mutating", "validating"])
def test_listed_and_deleted_together(space: Space, kind: str) -> None:
    word = unique("listed")
    path = "/always-deny" if kind == "validating" else "/mutating-configmaps"
    for number in range(10):
        Registered(
            space, kind, webhook(space, path, rule("configmaps"), name=f"w{number}.k8s.io"), labels={word: "yes"}
        )
    root = f"{hooks.GROUP}/{kind}webhookconfigurations"
    assert len(space.api.items(root, labelSelector=word)) == 10

    def works() -> bool:
        try:
            made = space.create("configmaps", START | {"metadata": {"generateName": "m-"}})
        except Refused as refused:
            return "denied the request" in refused.message
        return "mutation-stage-1" in made["data"]

    wait("they are in force", works)
    space.api.delete(root, labelSelector=word)
    assert space.api.items(root, labelSelector=word) == []
    wait("they are out of force", lambda: not works())


@pytest.mark.parametrize("kind", ["mutating", "validating"])
def test_patched_and_updated(space: Space, kind: str) -> None:
    """Also match conditions, which are kept and obeyed, and refused when they do not compile."""
    path = "/always-deny" if kind == "validating" else "/mutating-configmaps"
    skip = {"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}
    with Registered(space, kind, webhook(space, path, rule("configmaps"), matchConditions=[skip])) as made:

        def works(name: str = "other") -> bool:
            try:
                found = space.create("configmaps", named(START, name), dryRun="All")
            except Refused:
                return True
            return "mutation-stage-1" in found["data"]

        wait("it is in force", works)
        assert not works("skip-me")
        assert space.api.get(made.address)["webhooks"][0]["matchConditions"] == [skip]
        space.api.change(made.address, lambda found: found["webhooks"][0]["rules"][0].update(operations=["UPDATE"]))
        wait("not for creations", lambda: not works())
        again = [{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}]
        space.api.patch(made.address, again, "json")
        wait("for creations again", works)
        bad = {"name": "b", "expression": "... [] bad expression"}
        with pytest.raises(Refused, match=r"422 Invalid.*compilation failed") as refused:
            space.api.change(made.address, lambda found: found["webhooks"][0].update(matchConditions=[bad]))
        assert refused.value.status["details"]["causes"][0]["field"] == "webhooks[0].matchConditions[0].expression"


def test_conversion(space: Space) -> None:
    """One object, and a list of objects that are stored in two versions."""
    wanted = custom.definition(versions=("v1", "v2"))
    client = hooks.deployed(space.api).client("/crdconvert")
    wanted["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
    }
    foo = custom.made(space.api, wanted)
    root = {version: foo.root(version, space.name) for version in ("v1", "v2")}
    space.api.create(root["v1"], foo.body("one", hostPort="localhost:7070"))
    assert space.api.get(f"{root['v2']}/one").items() >= {"host": "localhost", "port": "7070"}.items()
    change = [{"op": "replace", "path": f"/spec/versions/{n}/storage", "value": bool(n)} for n in (0, 1)]
    space.api.patch(foo.definition, change, "json")
    space.api.create(root["v2"], foo.body("two", "v2", host="localhost", port="8080"))
    for version, field in (("v1", "hostPort"), ("v2", "host")):
        found = space.api.items(root[version])
        assert names(found) == {"one", "two"}
        assert {one["apiVersion"] for one in found} == {f"{foo.group}/{version}"}
        assert all(field in one for one in found)
    foo.end()
