"""Who may use the kubelet's API: upstream's test/e2e/auth/node_authn.go, and what tokens and rules give."""

from collections.abc import Awaitable, Callable

import pytest

from steersman.aio.clock import VirtualClock
from steersman.api import kinds
from steersman.apiserver.server import ApiServer, Options
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet import access
from steersman.kubelet.access import Access
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.serving.messages import Peer, Request, Response
from steersman.store.memory import MemoryStore
from tests.aio import virtual
from tests.apiserver import kit

QUESTIONS = {
    "metrics": ("GET", "/metrics", ("get", ("metrics",))),
    "below": ("GET", "/metrics/cadvisor", ("get", ("metrics",))),
    "not below": ("GET", "/metricsx", ("get", ("proxy",))),
    "summary": ("GET", "/stats/summary", ("get", ("stats",))),
    "system logs": ("GET", "/logs/syslog", ("get", ("log",))),
    "checkpoint": ("POST", "/checkpoint/n/p/c", ("create", ("checkpoint",))),
    "pods": ("GET", "/pods", ("get", ("pods", "proxy"))),
    "running pods": ("GET", "/runningpods/", ("get", ("pods", "proxy"))),
    "configuration": ("HEAD", "/configz", ("get", ("configz", "proxy"))),
    "exec": ("POST", "/exec/n/p/c", ("create", ("proxy",))),
    "logs of a container": ("GET", "/containerLogs/n/p/c", ("get", ("proxy",))),
    "nothing": ("GET", "/", ("get", ("proxy",))),
}


@pytest.mark.parametrize(("method", "path", "expect"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_questions(method, path, expect):
    assert access.question(method, path) == expect


NOBODY = Peer("127.0.0.1")


class Stage:
    """A node's access to an API server that counts what it is asked; `scraper` is an account with a token."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.server = ApiServer(MemoryStore(), clock=clock, options=Options(token_key_pem=kit.token_key()))
        self.admin = Client(InProcessTransport(self.server.handle, "admin", ("system:masters",)), clock=clock)
        node = InProcessTransport(self._counted, "system:node:n1", ("system:nodes",))
        self.access = Access(Client(node, clock=clock), clock)

    async def _counted(self, request: Request) -> Response:
        self.asked.append(request.path.rpartition("/")[2])
        return await self.server.handle(request)

    async def token(self) -> str:
        account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "scraper"}}
        await self.admin.create(kinds.SERVICE_ACCOUNT, account, "default")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = await self.admin.create(kinds.SERVICE_ACCOUNT, body, "default", subresource="token", name="scraper")
        return str(made["status"]["token"])

    async def allow(self, *resources: str) -> None:
        rule = {"verbs": ["get"], "apiGroups": [""], "resources": list(resources)}
        of = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "scraper"}}
        await self.admin.create(kinds.CLUSTER_ROLE, {**of, "kind": "ClusterRole", "rules": [rule]})
        binding = {
            **of,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "scraper"},
            "subjects": [{"kind": "ServiceAccount", "name": "scraper", "namespace": "default"}],
        }
        await self.admin.create(kinds.CLUSTER_ROLE_BINDING, binding)
        await kit.rules_followed()

    async def refusal(self, path: str, token: str = "", peer: Peer = NOBODY) -> str:
        """Empty: it may."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            await self.access.check(Request("GET", path, "", headers, peer=peer), "n1")
        except StatusError as refused:
            return f"{refused.code} {refused}"
        return ""


def on_stage(story: Callable[[Stage], Awaitable[None]]) -> None:
    async def body(clock: VirtualClock) -> None:
        stage = Stage(clock)
        await stage.server.start()
        try:
            await story(stage)
        finally:
            await stage.server.close()

    virtual.run(body)


def forbidden(user: str, subresources: str) -> str:
    return f"403 Forbidden (user={user}, verb=get, resource=nodes, subresource(s)=[{subresources}])"


ACCOUNT = "system:serviceaccount:default:scraper"


def test_nobody_and_a_wrong_token_are_unauthorized():
    async def story(stage: Stage) -> None:
        assert await stage.refusal("/metrics") == "401 Unauthorized"
        assert await stage.refusal("/metrics", "wrong") == "401 Unauthorized"

    on_stage(story)


def test_an_account_may_what_rules_say_of_nodes():
    async def story(stage: Stage) -> None:
        token = await stage.token()
        assert await stage.refusal("/metrics", token) == forbidden(ACCOUNT, "metrics")
        await stage.allow("nodes/metrics", "nodes/pods")
        await stage.clock.sleep(access.REFUSED_SECONDS + 1)
        assert await stage.refusal("/metrics/cadvisor", token) == ""
        assert await stage.refusal("/pods", token) == ""
        assert await stage.refusal("/stats/summary", token) == forbidden(ACCOUNT, "stats")
        assert await stage.refusal("/configz", token) == forbidden(ACCOUNT, "configz proxy")

    on_stage(story)


def test_answers_are_remembered_for_a_while():
    async def story(stage: Stage) -> None:
        token = await stage.token()
        await stage.allow("nodes/metrics")
        for _ in range(3):
            assert await stage.refusal("/metrics", token) == ""
        assert stage.asked == ["tokenreviews", "subjectaccessreviews"]
        await stage.clock.sleep(access.TOKEN_SECONDS + 1)
        assert await stage.refusal("/metrics", token) == ""
        assert stage.asked == ["tokenreviews", "subjectaccessreviews", "tokenreviews"]

    on_stage(story)


def test_certificates():
    async def story(stage: Stage) -> None:
        for peer in (Peer("", "kube-apiserver-kubelet-client"), Peer("", "admin", ("system:masters",))):
            assert await stage.refusal("/pods", peer=peer) == ""
        assert stage.asked == [], "whoever may everything needs no API server"
        other = Peer("", "system:node:n2", ("system:nodes",))
        assert await stage.refusal("/pods", peer=other) == forbidden("system:node:n2", "pods proxy")

    on_stage(story)


def test_an_api_server_that_cannot_be_asked_is_no_permission():
    async def story(stage: Stage) -> None:
        token = await stage.token()

        async def broken(request: Request) -> Response:
            return Response(503, {}, b"")

        stage.access = Access(Client(InProcessTransport(broken, "system:node:n1"), clock=stage.clock), stage.clock)
        assert await stage.refusal("/metrics", token) == "401 Unauthorized"
        refused = await stage.refusal("/metrics", peer=Peer("", "somebody"))
        assert refused.startswith("500")
        assert "Authorization error (user=somebody, verb=get, resource=nodes, subresource=metrics)" in refused

    on_stage(story)
