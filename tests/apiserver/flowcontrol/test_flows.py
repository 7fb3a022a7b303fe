"""Priority and fairness on the way of requests: which flow, which headers, who waits and who is refused."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from steersman.serving.messages import Peer
from steersman.store import contract
from tests.apiserver import kit

SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
LEVELS = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
NOXU = Peer("127.0.0.1", "noxu")
UIDS = ("x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid")

EVERYTHING = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True},
]
PATHS = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]


def level(name="slow", shares=1, **response):
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response or {"type": "Reject"}}
    limited["borrowingLimitPercent"] = 0
    return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}


def schema(name="noxu", of_level="slow", precedence=1000, user="noxu", **spec):
    subjects = [{"kind": "User", "user": {"name": user}}]
    rules = [{"subjects": subjects, "resourceRules": EVERYTHING, "nonResourceRules": PATHS}]
    fixed = {"priorityLevelConfiguration": {"name": of_level}, "matchingPrecedence": precedence, "rules": rules}
    return {"metadata": {"name": name}, "spec": fixed | spec}


async def may_everything(api: kit.Api, *names: str) -> None:
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name} for name in names]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    body = {"metadata": {"name": "all"}, "roleRef": role, "subjects": subjects}
    await api.make("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)

    async def are_known() -> bool:
        return (await api.ask("GET", kit.MAPS, peer=Peer("127.0.0.1", names[-1]))).status == 200

    await until(are_known)


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        is_so = await check()
        while not is_so:
            await asyncio.sleep(0.001)
            is_so = await check()


async def flow_of(api: kit.Api, peer: Peer, path: str = "/version") -> tuple[str, str]:
    """The names behind the UIDs of the answer."""
    headers = (await api.ask("GET", path, peer=peer)).headers
    found = []
    for where, uid in zip((SCHEMAS, LEVELS), UIDS, strict=True):
        items = (await api.ask("GET", where)).body["items"]
        found += [item["metadata"]["name"] for item in items if item["metadata"]["uid"] == headers[uid]]
    return found[0], found[1]


# --- classification ---


@pytest.mark.parametrize(
    ("peer", "path", "expected"),
    [
        (kit.ADMIN, "/version", ("exempt", "exempt")),
        (kit.BOB, "/version", ("global-default", "global-default")),
        (kit.NOBODY, "/healthz", ("probes", "exempt")),
        (Peer("", "system:node:n", ("system:nodes",)), "/api/v1/nodes/n", ("system-node-high", "node-high")),
        (Peer("", "system:node:n", ("system:nodes",)), kit.MAPS, ("system-nodes", "system")),
        (Peer("", "system:kube-scheduler"), kit.PODS, ("kube-scheduler", "workload-high")),
        (
            Peer("", "system:kube-controller-manager"),
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x",
            ("system-leader-election", "leader-election"),
        ),
        (
            Peer("", "system:kube-controller-manager"),
            "/api/v1/namespaces/default/endpoints/x",
            ("endpoint-controller", "workload-high"),
        ),
        (
            Peer("", "system:serviceaccount:kube-system:x", ("system:serviceaccounts",)),
            kit.MAPS,
            ("kube-system-service-accounts", "workload-high"),
        ),
        (
            Peer("", "system:serviceaccount:default:x", ("system:serviceaccounts",)),
            kit.MAPS,
            ("service-accounts", "workload-low"),
        ),
    ],
)
async def test_requests_find_upstreams_flows(api: kit.Api, peer, path, expected):
    assert await flow_of(api, peer, path) == expected


async def test_a_new_schema_counts_at_once_and_refusals_say_it_too(api: kit.Api):
    await api.make(LEVELS, level())
    await api.make(SCHEMAS, schema())
    assert await flow_of(api, NOXU) == ("noxu", "slow")
    assert await flow_of(api, kit.BOB) == ("global-default", "global-default")
    refused = await api.ask("GET", kit.MAPS, peer=NOXU)
    assert refused.status == 403
    assert refused.headers[UIDS[0]] == (await api.ask("GET", f"{SCHEMAS}/noxu")).body["metadata"]["uid"]
    await api.make(SCHEMAS, schema("first", "system", precedence=50))
    assert await flow_of(api, NOXU) == ("first", "system")


async def test_a_schema_says_whether_its_level_is_there(api: kit.Api):
    await api.make(SCHEMAS, schema(of_level="gone"))

    async def is_dangling(status: str) -> bool:
        found = (await api.ask("GET", f"{SCHEMAS}/noxu/status")).body.get("status") or {}
        return [one["status"] for one in found.get("conditions", []) if one["type"] == "Dangling"] == [status]

    await until(lambda: is_dangling("True"))
    assert await flow_of(api, NOXU) == ("global-default", "global-default")
    await api.make(LEVELS, level("gone"))
    await until(lambda: is_dangling("False"))
    condition = (await api.ask("GET", f"{SCHEMAS}/noxu")).body["status"]["conditions"][0]
    assert condition["message"] == (
        'This FlowSchema references the PriorityLevelConfiguration object named "gone" and it exists'
    )
    assert await flow_of(api, NOXU) == ("noxu", "gone")


# --- what every cluster has ---


async def test_the_objects_of_every_cluster(api: kit.Api):
    schemas = (await api.ask("GET", SCHEMAS, headers=kit.TABLE)).body
    assert [column["name"] for column in schemas["columnDefinitions"]] == [
        "Name", "PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", "Age", "MissingPL"
    ]  # fmt: skip
    rows = {row["cells"][0]: row["cells"] for row in schemas["rows"]}
    assert len(rows) == 13
    assert rows["service-accounts"][1:4] == ["workload-low", "9000", "ByUser"]
    assert rows["exempt"][3] == "<none>"
    assert {row[5] for row in rows.values()} == {"False"}
    levels = (await api.ask("GET", LEVELS, headers=kit.TABLE)).body["rows"]
    cells = {row["cells"][0]: row["cells"][1:6] for row in levels}
    assert cells["workload-high"] == ["Limited", "40", "128", "6", "50"]
    assert cells["exempt"] == ["Exempt", "0", "<none>", "<none>", "<none>"]


async def test_they_come_back(api: kit.Api):
    for path in (f"{SCHEMAS}/catch-all", f"{LEVELS}/exempt", f"{SCHEMAS}/probes"):
        before = (await api.ask("GET", path)).body["metadata"]["uid"]
        assert (await api.ask("DELETE", path)).status == 200

        async def is_back(path: str = path, before: str = before) -> bool:
            found = await api.ask("GET", path)
            return found.status == 200 and found.body["metadata"]["uid"] != before

        await until(is_back)
    assert await flow_of(api, kit.ADMIN) == ("exempt", "exempt")


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        (f"{SCHEMAS}/catch-all", {"spec": {"matchingPrecedence": 9}}, "spec of 'catch-all' must equal the fixed value"),
        (f"{LEVELS}/catch-all", {"spec": {"limited": {"lendablePercent": 9}}}, "spec of 'catch-all' must equal"),
        (f"{LEVELS}/exempt", {"spec": {"type": "Limited"}}, "type must be 'Exempt' if and only if `name` is 'exempt'"),
        (f"{LEVELS}/system", {"spec": {"limited": {"lendablePercent": 101}}}, "must be between 0 and 100, inclusive"),
        (
            f"{LEVELS}/system",
            {"spec": {"limited": {"limitResponse": {"queuing": {"handSize": 65}}}}},
            "spec.limited.limitResponse.queuing.handSize: Invalid value: 65: should not be greater than queues (64)",
        ),
        (f"{SCHEMAS}/probes", {"spec": {"matchingPrecedence": 1}}, "only the schema named 'exempt' may have"),
        (f"{SCHEMAS}/probes", {"spec": {"rules": [{}]}}, "subjects must contain at least one value"),
    ],
)
async def test_refused(api: kit.Api, path, change, expected):
    answer = await api.ask("PATCH", path, change, headers=kit.MERGE)
    assert answer.status == 422
    assert expected in answer.body["message"]


async def test_the_share_of_the_exempt_may_change(api: kit.Api):
    change = {"spec": {"exempt": {"nominalConcurrencyShares": 5}}}
    assert (await api.ask("PATCH", f"{LEVELS}/exempt", change, headers=kit.MERGE)).status == 200


# --- seats ---


class Held:
    """Requests that stay on their seats until they are let go: the store keeps them waiting for one name."""

    def __init__(self, api: kit.Api) -> None:
        self.api = api
        self.gate = asyncio.Event()
        self.entered = 0
        kept = api.store.get

        async def get(key: str, *, at_revision: int = 0) -> contract.Entry | None:
            if key.endswith("/held"):
                self.entered += 1
                await self.gate.wait()
            return await kept(key, at_revision=at_revision)

        api.store.get = get  # type: ignore[method-assign]

    def start(self, group: asyncio.TaskGroup, peer: Peer) -> "asyncio.Task[kit.Answer]":
        return group.create_task(self.api.ask("GET", f"{kit.MAPS}/held", peer=peer))

    async def seated(self, count: int) -> None:
        async def are_in() -> bool:
            return self.entered == count

        await until(are_in)


async def test_beyond_the_limit_requests_are_refused(api: kit.Api):
    await may_everything(api, "noxu", "bob")
    await api.make(LEVELS, level())
    await api.make(SCHEMAS, schema())
    limit = _limit(api, "slow")
    held = Held(api)
    async with asyncio.TaskGroup() as group:
        running = [held.start(group, NOXU) for _ in range(limit)]
        await held.seated(limit)
        refused = await api.ask("GET", kit.MAPS, peer=NOXU)
        assert (refused.status, refused.raw) == (429, b"Too many requests, please try again later.\n")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers[UIDS[0]]
        assert (await api.ask("GET", kit.MAPS, peer=kit.BOB)).status == 200
        assert (await api.ask("GET", kit.MAPS)).status == 200
        labels = 'flow_schema="noxu",priority_level="slow",reason="concurrency-limit"'
        assert f"rejected_requests_total{{{labels}}} 1" in await metrics(api)
        held.gate.set()
    assert {task.result().status for task in running} == {404}
    assert (await api.ask("GET", kit.MAPS, peer=NOXU)).status == 200


async def test_those_that_wait_come_in_turn_and_a_full_queue_refuses(api: kit.Api):
    await may_everything(api, "noxu", "quiet")
    queuing = {"queues": 64, "handSize": 1, "queueLengthLimit": 3}
    await api.make(LEVELS, level(type="Queue", queuing=queuing))
    both = schema(user="*", distinguisherMethod={"type": "ByUser"}, precedence=999)
    await api.make(SCHEMAS, both)
    limit = _limit(api, "slow")
    held = Held(api)
    order: list[str] = []

    async def told(name: str) -> int:
        answer = await api.ask("GET", kit.MAPS, peer=Peer("127.0.0.1", name))
        order.append(name)
        return answer.status

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            held.start(group, NOXU)
        await held.seated(limit)
        waiting = [group.create_task(told("noxu")) for _ in range(3)]
        await until(lambda: _waiting(api, 3))
        assert (await api.ask("GET", kit.MAPS, peer=NOXU)).status == 429
        waiting.append(group.create_task(told("quiet")))
        await until(lambda: _waiting(api, 4))
        assert 'current_inqueue_requests{flow_schema="noxu",priority_level="slow"} 4' in await metrics(api)
        held.gate.set()
    assert {task.result() for task in waiting} == {200}
    assert order.index("quiet") < 2
    assert await _waiting(api, 0)


async def test_a_client_that_goes_away_leaves_its_place(api: kit.Api):
    await may_everything(api, "noxu")
    queuing = {"queues": 1, "handSize": 1, "queueLengthLimit": 3}
    await api.make(LEVELS, level(type="Queue", queuing=queuing))
    await api.make(SCHEMAS, schema())
    limit = _limit(api, "slow")
    held = Held(api)
    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            held.start(group, NOXU)
        await held.seated(limit)
        impatient = group.create_task(api.ask("GET", kit.MAPS, peer=NOXU))
        await until(lambda: _waiting(api, 1))
        impatient.cancel()
        await until(lambda: _waiting(api, 0))
        held.gate.set()
    assert api.server._flows._levels["slow"].executing == 0


async def test_a_level_borrows_what_others_do_not_need(api: kit.Api):
    await may_everything(api, "noxu")
    await api.make(LEVELS, level() | {"spec": _without_borrowing_limit(level()["spec"])})
    await api.make(SCHEMAS, schema())
    limit = _limit(api, "slow")
    held = Held(api)
    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            held.start(group, NOXU)
        await held.seated(limit)
        assert (await api.ask("GET", kit.MAPS, peer=NOXU)).status == 200
        held.gate.set()
    assert _limit(api, "slow") > limit


def _without_borrowing_limit(spec):
    return spec | {"limited": {key: value for key, value in spec["limited"].items() if key != "borrowingLimitPercent"}}


async def test_what_takes_for_ever_takes_no_seat(api: kit.Api):
    await may_everything(api, "noxu")
    await api.make(LEVELS, level())
    await api.make(SCHEMAS, schema())
    watch = await api.ask("GET", f"{kit.MAPS}?watch=1", peer=NOXU)
    assert watch.status == 200
    assert api.server._flows._levels["slow"].executing == 0
    answer = await api.ask("GET", f"{kit.PODS}/p/log", peer=NOXU)
    assert UIDS[0] not in answer.headers


async def metrics(api: kit.Api) -> str:
    return (await api.ask("GET", "/metrics")).raw.decode()


def _limit(api: kit.Api, name: str) -> int:
    return api.server._flows._levels[name].limit


async def _waiting(api: kit.Api, count: int) -> bool:
    return api.server._flows._levels["slow"].waiting == count
