"""How decisions are carried out: batches, preconditions, refusals."""

import asyncio
from typing import Any

import pytest

from steersman.api import kinds
from steersman.client.client import Unreachable
from steersman.controllers import decision
from steersman.controllers.apply import Application
from steersman.controllers.decision import Create, Emit, Patch, Update, UpdateStatus
from steersman.meta import errors


class FakeClient:
    """Answers writes, or refuses those whose name stands in `refusals`."""

    def __init__(self, **refusals):
        self.refusals = refusals
        self.calls = []
        self.sent = []
        self.open = 0
        self.open_at_once = []
        self.revision = 50

    async def _answer(self, verb, name, obj):
        self.open += 1
        await asyncio.sleep(0)
        self.open_at_once.append(self.open)
        await asyncio.sleep(0)
        self.open -= 1
        self.calls.append((verb, name))
        self.sent.append(obj)
        refusal = self.refusals.get(name)
        if refusal is not None:
            raise refusal
        self.revision += 1
        meta = {**obj.get("metadata", {}), "name": name, "namespace": "default", "resourceVersion": str(self.revision)}
        return {**obj, "metadata": meta}

    async def create(self, kind, obj, *, because=0):
        meta = obj["metadata"]
        return await self._answer(f"create because {because}", meta.get("name") or meta["generateName"] + "x", obj)

    async def update(self, kind, obj, *, subresource="", because=0):
        meta = obj["metadata"]
        return await self._answer(f"update {subresource} at {meta['resourceVersion']}", meta["name"], obj)

    async def patch(self, kind, name, namespace, patch, *, subresource="", because=0):
        return await self._answer(f"patch at {patch['metadata'].get('resourceVersion')}", name, patch)

    async def delete(self, kind, name, namespace, *, uid, resource_version, grace_seconds, propagation, because):
        await self._answer(f"delete {uid}", name, {})


class Told:
    def __init__(self):
        self.events: list[str] = []
        self.wrote: list[str] = []
        self.deleted: list[tuple[str, str]] = []

    def event(self, obj, type, reason, message):  # noqa: A002 -- the recorder's own
        self.events.append(message)


def pod(name, **meta):
    return {"metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "7", **meta}}


def create(name, **more):
    return Create(kinds.POD, {"metadata": {"name": name}}, **more)


def status(name="s", when="always"):
    return UpdateStatus(kinds.POD, pod(name), when)


def carry_out(*actions, **refusals) -> Any:
    client: Any
    client, told = FakeClient(**refusals), Told()

    async def story():
        application = Application(
            client,
            told,
            9,
            lambda kind, obj: told.wrote.append(obj["metadata"]["name"]),
            lambda kind, key, uid: told.deleted.append((key, uid)),
        )
        return await application.run(actions)

    return asyncio.run(story()), client, told


QUOTA = errors.forbidden("pods", "a", "exceeded quota")
TERMINATING = errors.StatusError(
    errors.status(403, "Forbidden", "no", causes=[{"reason": "NamespaceTerminating", "field": "metadata.namespace"}])
)


def test_creates_start_slowly():
    outcome, client, told = carry_out(*[create(f"p{number}") for number in range(10)])
    assert max(client.open_at_once[:1]) == 1
    assert max(client.open_at_once[1:3]) == 2
    assert max(client.open_at_once[3:7]) == 4
    assert (outcome.is_clean, outcome.written, len(told.wrote)) == (True, 10, 10)
    assert client.calls[0] == ("create because 9", "p0")


def test_a_refusal_costs_one_request_and_the_status_is_still_written():
    emit = Emit(pod("o"), "Warning", "FailedCreate", "Error creating: {error}")
    actions = [create("a", refused=emit), *[create(f"p{number}") for number in range(10)], status()]
    outcome, client, told = carry_out(*actions, a=QUOTA)
    assert [name for _, name in client.calls] == ["a", "s"]
    assert told.events == ['Error creating: pods "a" is forbidden: exceeded quota']
    assert (outcome.failure.verb, outcome.failure.resource) == ("create", "pods")


WHEN = [
    pytest.param("done", {}, True, id="done, and it was"),
    pytest.param("done", {"a": QUOTA}, False, id="done, but it was refused"),
    pytest.param("refused", {}, False, id="refused, but it was done"),
    pytest.param("refused", {"a": QUOTA}, True, id="refused, and it was"),
]


@pytest.mark.parametrize(("when", "refusals", "expected"), WHEN)
def test_a_status_may_tell_how_it_went(when, refusals, expected):
    _, client, _ = carry_out(create("a"), status(when=when), **refusals)
    assert (("update status at 7", "s") in client.calls) is expected


def test_a_status_does_not_take_back_what_was_written_before_it():
    """A write of a Deployment's status may change its annotations, too."""
    noted = Update(kinds.POD, pod("a", annotations={"revision": "2"}))
    told = UpdateStatus(kinds.POD, {**pod("a", annotations={"revision": "1"}), "status": {"replicas": 3}})
    _, client, _ = carry_out(noted, told)
    assert client.calls[-1] == ("update status at 51", "a")
    assert client.sent[-1]["metadata"]["annotations"] == {"revision": "2"}
    assert client.sent[-1]["status"] == {"replicas": 3}


STALE = [
    pytest.param(create("a"), errors.already_exists("pods", "a"), id="created already"),
    pytest.param(status("a"), errors.modified("pods", "a"), id="changed meanwhile"),
    pytest.param(Patch(kinds.POD, "a", "default", {"metadata": {}}), errors.not_found("pods", "a"), id="gone"),
]


@pytest.mark.parametrize(("action", "refusal"), STALE)
def test_a_stale_view_is_no_failure(action, refusal):
    outcome, _, told = carry_out(action, a=refusal)
    assert (outcome.stale, outcome.failure, told.events) == (True, None, [])


GONE = [
    pytest.param(errors.not_found("pods", "a"), id="gone already"),
    pytest.param(errors.conflict("pods", "a", "uid"), id="another one has its name"),
]


@pytest.mark.parametrize("refusal", GONE)
def test_what_is_gone_is_deleted(refusal):
    outcome, _, told = carry_out(decision.delete(kinds.POD, pod("a")), a=refusal)
    assert outcome.is_clean
    assert told.deleted == [("default/a", "a")]


def test_nothing_is_retried_in_a_namespace_that_ends():
    outcome, _, told = carry_out(create("a", refused=Emit(pod("o"), "Warning", "X", "{error}")), a=TERMINATING)
    assert (outcome.is_clean, told.events) == (True, [])


def test_no_answer_is_a_failure():
    outcome, _, _ = carry_out(create("a"), a=Unreachable("connection lost"))
    assert outcome.failure.message == "connection lost"


def test_a_second_write_of_an_object_builds_on_the_first():
    _, client, _ = carry_out(decision.patch(kinds.POD, pod("s"), {"metadata": {"labels": {}}}), status())
    assert client.calls == [("patch at 7", "s"), ("update status at 51", "s")]


def test_events_name_what_was_made():
    made = Create(
        kinds.POD, {"metadata": {"generateName": "web-"}}, done=Emit(pod("o"), "Normal", "R", "Created {name}")
    )
    _, _, told = carry_out(made)
    assert told.events == ["Created web-x"]
