"""What an expression costs: compiling it, evaluating it, all rules of a custom resource, a policy's verdict.

The peer is common-expression-language 0.10 (Rust, bound to Python), measured on such a machine: 9.5 µs for the typical rule,
2.7 ms for `all` over 20 × 20.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from steersman.api.cel import types
from steersman.api.cel.environment import Environment
from steersman.api.custom import types as custom_types
from steersman.api.policies import validating
from steersman.meta.objects import Object
from tests.bench.report import Figure

RULE = "self.replicas <= self.maxReplicas && self.name.matches('^[a-z]+$')"
SELF: Object = {"replicas": 1, "maxReplicas": 3, "name": "abcdef"}
SECONDS = 0.5  # each case runs about so long

FIELDS: Object = {"replicas": types.INT, "maxReplicas": types.INT, "name": types.STRING}


def run() -> Iterator[Figure]:
    environment = Environment(
        {"self": types.struct("self", lambda name: (FIELDS[name], name) if name in FIELDS else None)}
    )
    program = environment.compile(RULE)
    yield Figure("typical rule", _micros(lambda: program.run(SELF)), "µs", 9.5, 5, "less", note=f"`{RULE}`")
    outcome = _micros(lambda: program.measured(SELF))
    yield Figure("the same, with what it cost", outcome, "µs", goal=2, better="less")
    yield Figure("compile it", _micros(lambda: environment.compile(RULE)), "µs", better="less")
    nested = Environment({"self": types.list_of(types.list_of(types.INT))}).compile("self.all(x, x.all(y, y >= 0))")
    table = [list(range(20)) for _ in range(20)]
    yield Figure("all() over 20 × 20", _micros(lambda: nested.run(table)), "µs", 2_700, 5, "less")
    yield Figure("three rules of a custom resource", _micros(_custom()), "µs", better="less")
    yield Figure("verdict of a policy with a variable and two validations", _micros(_policy()), "µs", better="less")


def _micros(call: Callable[[], Any]) -> float:
    """The best of several rounds."""
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(100):
            call()
        best = min(best, time.perf_counter() - start)
    return best / 100 * 1e6


def _custom() -> Callable[[], Any]:
    properties = {"replicas": {"type": "integer"}, "maxReplicas": {"type": "integer"}, "name": {"type": "string"}}
    spec = {
        "type": "object",
        "properties": properties,
        "x-kubernetes-validations": [
            {"rule": RULE},
            {"rule": "has(self.name) && size(self.name) < 64"},
            {"rule": "self.replicas >= oldSelf.replicas"},
        ],
    }
    kind = custom_types.Type("x", {"type": "object", "properties": {"spec": spec}})
    new, old = {"spec": SELF}, {"spec": {**SELF, "replicas": 0}}
    return lambda: kind.validate(new, old)


def _policy() -> Callable[[], Any]:
    spec = {
        "variables": [{"name": "containers", "expression": "object.spec.template.spec.containers"}],
        "validations": [
            {"expression": "variables.containers.all(c, c.image.startsWith('registry.example.com/'))"},
            {"expression": "object.spec.replicas <= 5 || request.userInfo.username == 'admin'"},
        ],
    }
    policy = validating.Policy({"spec": spec})
    containers = [{"name": name, "image": f"registry.example.com/{name}"} for name in ("a", "b")]
    inputs = dict.fromkeys(("oldObject", "namespaceObject", "authorizer", "authorizer.requestResource"))
    given = inputs | {
        "object": {"spec": {"replicas": 3, "template": {"spec": {"containers": containers}}}},
        "request": {"userInfo": {"username": "bob"}},
    }
    return lambda: policy.judge(given)
