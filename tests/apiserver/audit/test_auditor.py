"""What is written down of requests, stage by stage, at each level."""

import asyncio

import pytest

from steersman.aio import clock as clocks
from steersman.apiserver.audit import auditor, policy
from steersman.serving.messages import Peer
from tests.apiserver import kit

STAMPS = ("requestReceivedTimestamp", "stageTimestamp")


class Kept:
    """A sink that keeps all."""

    def __init__(self):
        self.events = []
        self.closed = False

    def write(self, event):
        self.events.append(event)

    async def run(self):
        pass

    async def close(self):
        self.closed = True


def written(level, story, omit=("RequestReceived",), **more):
    """The events that a story leaves behind, without times."""
    kept = Kept()
    rules = [{"level": level, **more}]
    found = policy.parse({"apiVersion": policy.API_VERSION, "kind": "Policy", "omitStages": list(omit), "rules": rules})

    async def run():
        audit = auditor.Auditor(found, [kept], clocks.SystemClock())
        async with kit.Api(audit=audit) as api:
            await kit.with_account(api)
            kept.events.clear()
            await story(api)

    asyncio.run(run())
    assert kept.closed
    assert all(event[stamp].endswith("Z") and len(event[stamp]) == 27 for event in kept.events for stamp in STAMPS)
    return [{key: value for key, value in event.items() if key not in STAMPS} for event in kept.events]


def test_a_request_at_the_level_of_metadata():
    async def story(api):
        headers = {"audit-id": "mine", "user-agent": "test", "x-forwarded-for": "9.9.9.9, 8.8.8.8"}
        answer = await api.ask("POST", kit.MAPS, kit.config_map("settings", key="value"), headers=headers)
        assert answer.headers["audit-id"] == "mine"

    assert written("Metadata", story) == [
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": "mine",
            "stage": "ResponseComplete",
            "requestURI": kit.MAPS,
            "verb": "create",
            "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
            "sourceIPs": ["9.9.9.9", "8.8.8.8", "127.0.0.1"],
            "userAgent": "test",
            "objectRef": {"resource": "configmaps", "namespace": "default", "name": "settings", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 201},
            "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
        }
    ]


def test_objects_are_written_down_where_that_is_asked_for():
    async def story(api):
        await api.make(kit.MAPS, kit.config_map("settings", key="value"))
        await api.ask("PATCH", f"{kit.MAPS}/settings", {"data": {"key": "other"}}, headers=kit.MERGE)
        await api.ask("GET", f"{kit.MAPS}/settings")

    create, patch, get = written("Request", story)
    assert create["requestObject"]["data"] == {"key": "value"}
    assert patch["requestObject"] == {"data": {"key": "other"}}
    assert "requestObject" not in get
    assert all("responseObject" not in one for one in (create, patch, get))
    create, patch, get = written("RequestResponse", story)
    assert patch["responseObject"]["data"] == get["responseObject"]["data"] == {"key": "other"}
    assert "managedFields" in get["responseObject"]["metadata"]
    create, _, get = written("RequestResponse", story, omitManagedFields=True)
    assert "managedFields" not in get["responseObject"]["metadata"]


def test_stages_of_what_lasts():
    async def story(api):
        await api.make(kit.MAPS, kit.config_map("settings"))
        answer = await api.ask("GET", kit.MAPS, query="watch=1&timeoutSeconds=60")
        stream = answer.response.stream
        await anext(stream)
        await stream.aclose()

    events = written("Metadata", story, omit=(), verbs=["watch"])
    assert [(one["stage"], one["verb"], one.get("responseStatus", {}).get("code")) for one in events] == [
        ("RequestReceived", "watch", None),
        ("ResponseStarted", "watch", 200),
        ("ResponseComplete", "watch", 200),
    ]
    assert "annotations" not in events[0]


def test_refusals_say_why():
    async def story(api):
        await api.ask("GET", kit.PODS, peer=kit.BOB)
        await api.ask("GET", f"{kit.MAPS}/missing")
        await api.ask("GET", kit.PODS, headers={"authorization": "Bearer wrong"}, peer=kit.NOBODY)

    forbidden, missing, unknown = written("Metadata", story)
    assert forbidden["responseStatus"]["reason"] == "Forbidden"
    assert forbidden["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert missing["responseStatus"] == {
        "metadata": {},
        "code": 404,
        "status": "Failure",
        "message": 'configmaps "missing" not found',
        "reason": "NotFound",
        "details": {"name": "missing", "kind": "configmaps"},
    }
    assert (unknown["stage"], unknown["user"]) == ("ResponseStarted", {})
    assert unknown["responseStatus"]["message"] == "Authentication failed, attempted: bearer"


def test_why_something_was_allowed():
    role = {"metadata": {"name": "reader"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}
    binding = {
        "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}],
    }

    async def story(api):
        path = "/apis/rbac.authorization.k8s.io/v1"
        await api.make(f"{path}/clusterroles", role)
        await api.make(f"{path}/clusterrolebindings", binding)
        await kit.rules_followed()
        await api.ask("GET", kit.PODS, peer=kit.BOB)

    event = written("Metadata", story, users=["bob"])[0]
    assert event["annotations"] == {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to User "bob"',
    }


def test_acting_as_somebody_else():
    async def story(api):
        await api.ask("GET", kit.PODS, headers={"impersonate-user": "carol"})

    [event] = written("Metadata", story)
    assert event["user"]["username"] == "admin"
    assert event["impersonatedUser"] == {"username": "carol", "groups": ["system:authenticated"]}


def test_deprecated_versions_are_told():
    async def story(api):
        await api.ask("GET", "/api/v1/componentstatuses")

    [event] = written("Metadata", story)
    assert event["annotations"]["k8s.io/deprecated"] == "true"


def test_what_nobody_expected():
    async def story(api):
        async def fails(call):
            raise RuntimeError("out of luck")

        api.server.reader.get = fails
        answer = await api.ask("GET", f"{kit.MAPS}/settings")
        assert answer.status == 500

    [event] = written("Metadata", story)
    assert event["stage"] == "Panic"
    assert event["responseStatus"]["message"] == "APIServer panic'd: out of luck"


def test_a_client_that_goes_away():
    async def story(api):
        async def hangs(call):
            await asyncio.sleep(60)

        api.server.reader.get = hangs
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(api.ask("GET", f"{kit.MAPS}/settings"), 0.01)

    [event] = written("Metadata", story)
    assert (event["stage"], event["responseStatus"]["message"]) == ("ResponseComplete", "Connection closed early")


def test_what_is_not_asked_for_is_not_written_down():
    async def story(api):
        await api.ask("GET", kit.PODS)

    assert written("None", story) == []


def test_a_policy_that_only_audits():
    policies = "/apis/admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "false", "message": "never"}],
        "auditAnnotations": [{"key": "name", "valueExpression": "string(object.metadata.name)"}],
    }

    async def story(api):
        await api.make(f"{policies}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
        binding = {"policyName": "p", "validationActions": ["Audit"]}
        await api.make(f"{policies}/validatingadmissionpolicybindings", {"metadata": {"name": "b"}, "spec": binding})
        await api.make(kit.MAPS, kit.config_map("settings"))

    [event] = written("Metadata", story, resources=[{"group": "", "resources": ["configmaps"]}])
    assert event["annotations"]["p/name"] == "settings"
    assert event["annotations"]["validation.policy.admission.k8s.io/validation_failure"] == (
        '[{"message":"never","policy":"p","binding":"b","expressionIndex":0,"validationActions":["Audit"]}]'
    )


def test_every_answer_has_an_id_of_its_own():
    async def story():
        async with kit.Api() as api:
            answers = [await api.ask("GET", "/version", peer=Peer()) for _ in range(3)]
            return {answer.headers["audit-id"] for answer in answers}

    assert len(asyncio.run(story())) == 3
