"""When a bootstrap token goes."""

import base64
import datetime

import pytest

from steersman.api import bootstrap_tokens, kinds
from steersman.controllers.token_cleaner import decide
from steersman.controllers.token_cleaner.decide import Seen
from steersman.meta import times
from tests.controllers import paper, shapes


def token(expiration):
    data = {} if expiration is None else {"expiration": base64.b64encode(expiration.encode()).decode()}
    meta = {"name": "bootstrap-token-abcdef", "namespace": "kube-system", "uid": "u"}
    return {"metadata": meta, "type": bootstrap_tokens.TYPE, "data": data}


CASES = {
    "no end": (None, 0, None),
    "no date": ("soon", 1, None),
    "later": ("2026-01-01T12:00:10Z", 0, 10.0),
    "now": (shapes.STAMP, 1, None),
    "another zone": ("2026-01-01T12:30:00+01:00", 1, None),
}


@pytest.mark.parametrize(("expiration", "deletes", "again"), CASES.values(), ids=CASES.keys())
def test_tokens(expiration, deletes, again):
    decision = decide.decide(Seen(token(expiration), shapes.NOW))
    assert (len(decision.actions), decision.again_after_seconds) == (deletes, again)


def test_a_token_ends():
    async def story():
        async with paper.cluster() as cluster:
            text = times.format_seconds(cluster.clock.now() + datetime.timedelta(seconds=30))
            await cluster.create(kinds.SECRET, token(text) | {"apiVersion": "v1", "kind": "Secret"})
            await cluster.settle(25)
            assert len(await cluster.all(kinds.SECRET, "kube-system")) == 1
            await cluster.settle(10)
            assert await cluster.all(kinds.SECRET, "kube-system") == []

    paper.run(story)
