"""Who says what users may do: `--authorization-mode`."""

import asyncio

import pytest

from steersman.apiserver import authorization
from steersman.serving.messages import Peer
from tests.apiserver import kit

NODE = Peer("127.0.0.1", "system:node:n", ("system:nodes",))
OWN = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n"


def asked(modes, peer, path=kit.PODS):
    async def story():
        async with kit.Api(authorization_modes=authorization.parse_modes(modes)) as api:
            answer = await api.ask("GET", path, peer=peer)
            return answer.status, answer.body.get("message", "")

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("modes", "peer", "path", "code"),
    [
        ("Node,RBAC", kit.BOB, kit.PODS, 403),
        ("AlwaysAllow", kit.BOB, kit.PODS, 200),
        ("RBAC,AlwaysAllow", kit.BOB, kit.PODS, 200),
        ("RBAC,AlwaysAllow", kit.NOBODY, kit.PODS, 401),
        ("AlwaysAllow", kit.NOBODY, "/version", 401),
        ("AlwaysDeny", kit.BOB, kit.PODS, 403),
        ("AlwaysDeny", kit.ADMIN, kit.PODS, 200),
        ("Node", NODE, OWN, 404),
        ("RBAC", NODE, OWN, 403),
        ("RBAC", kit.BOB, "/version", 200),
        ("Node", kit.BOB, "/version", 403),
    ],
)
def test_modes(modes, peer, path, code):
    assert asked(modes, peer, path)[0] == code


def test_reasons_come_in_the_order_of_the_modes():
    code, message = asked("AlwaysDeny,Node", NODE, "/api/v1/namespaces/default/secrets/x")
    assert code == 403
    first, second = message.partition(": Everything is forbidden.\n")[::2]
    assert first.endswith('in the namespace "default"')
    assert second == "no relationship found between node 'n' and this object"


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        ("", "at least one authorization-mode must be passed"),
        ("Node,Webhook", 'authorization-mode "Webhook" is not a valid mode here: Node, RBAC, AlwaysAllow, AlwaysDeny'),
        ("RBAC,RBAC", "authorization-mode ['RBAC', 'RBAC'] has mode specified more than once"),
    ],
)
def test_wrong_modes(modes, message):
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the text is compared whole
        authorization.parse_modes(modes)
    assert str(wrong.value) == message
