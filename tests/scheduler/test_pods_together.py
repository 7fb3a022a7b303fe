"""Pod affinity, anti-affinity and topology spread: cases, and a slow and obvious check of every placement."""

import collections

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.meta.objects import Object
from steersman.scheduler.decide import Evaluation, decide
from tests.scheduler.builders import node, pending, picture, pod, replicas

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
NODES = [
    node("a1", labels={ZONE: "a"}),
    node("a2", labels={ZONE: "a"}),
    node("b1", labels={ZONE: "b"}),
    node("nowhere"),
]


def term(app, key=ZONE, **more):
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def near(*terms):
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def away(*terms):
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def rather(where, one, weight=100):
    return {where: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": one}]}}


def spread(app, key=ZONE, skew=1, when="DoNotSchedule", **more):
    selector = {"matchLabels": {"app": app}}
    return {"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": when, "labelSelector": selector, **more}


def app(name, at=None, **more):
    return pod(f"{name}-old-{at}" if at else name, labels={"app": name}, **({"on": at} if at else {}), **more)


@pytest.mark.parametrize(
    ("wanted", "placed", "possible"),
    [
        pytest.param(app("web", affinity=near(term("db"))), [app("db", "b1")], {"b1"}, id="near"),
        pytest.param(app("web", affinity=near(term("db"))), [app("db", "a1")], {"a1", "a2"}, id="near, by zone"),
        pytest.param(app("web", affinity=near(term("db", HOST))), [app("db", "a1")], {"a1"}, id="near, by host"),
        pytest.param(app("web", affinity=near(term("db"))), [], set(), id="near nobody"),
        pytest.param(
            app("web", affinity=near(term("db"))), [app("db", "nowhere")], set(), id="near a node without zone"
        ),
        pytest.param(app("db", affinity=near(term("db"))), [], {"a1", "a2", "b1"}, id="first of its kind"),
        pytest.param(app("db", affinity=near(term("db"))), [app("db", "b1")], {"b1"}, id="second of its kind"),
        pytest.param(
            app("web", affinity=near(term("db", namespaces=["other"]))), [app("db", "b1")], set(), id="other namespace"
        ),
        pytest.param(
            app("web", affinity=near(term("db", namespaces=["other"]))),
            [app("db", "b1", namespace="other")],
            {"b1"},
            id="named namespace",
        ),
        pytest.param(
            app("web", affinity=near(term("db", namespaceSelector={}))),
            [app("db", "b1", namespace="other")],
            {"b1"},
            id="every namespace",
        ),
        pytest.param(
            app("web", affinity=near(term("db", namespaceSelector={"matchLabels": {"team": "x"}}))),
            [app("db", "a1", namespace="other"), app("db", "b1", namespace="team-x")],
            {"b1"},
            id="namespaces by label",
        ),
        pytest.param(app("web", affinity=away(term("db"))), [app("db", "a1")], {"b1", "nowhere"}, id="away"),
        pytest.param(
            app("web", affinity=away(term("db", HOST))), [app("db", "a1")], {"a2", "b1", "nowhere"}, id="away, by host"
        ),
        pytest.param(
            app("web"), [app("db", "a1", affinity=away(term("web")))], {"b1", "nowhere"}, id="not wanted by others"
        ),
        pytest.param(
            app("web"), [app("db", "a1", affinity=away(term("x")))], {n["metadata"]["name"] for n in NODES}, id="x"
        ),
        pytest.param(
            app("web", topologySpreadConstraints=[spread("web")]), [app("web", "a1")], {"b1"}, id="spread over zones"
        ),
        pytest.param(
            app("web", topologySpreadConstraints=[spread("web", skew=2)]),
            [app("web", "a1")],
            {"a1", "a2", "b1"},
            id="spread, wider",
        ),
        pytest.param(
            app("web", topologySpreadConstraints=[spread("web", minDomains=3)]),
            [app("web", "a1"), app("web", "b1")],
            set(),
            id="too few domains",
        ),
        pytest.param(
            {
                **app("web", topologySpreadConstraints=[spread("web", matchLabelKeys=["release"])]),
                "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "release": "2"}},
            },
            [app("web", "a1")],
            {"a1", "a2", "b1"},
            id="pods of another release do not count",
        ),
        pytest.param(
            app("web", topologySpreadConstraints=[spread("db")]),
            [app("db", "a1"), app("db", "a2")],
            {"b1"},
            id="spread against others",
        ),
        pytest.param(
            app("web", nodeSelector={ZONE: "a"}, topologySpreadConstraints=[spread("web", HOST)]),
            [app("web", "a1")],
            {"a2"},
            id="only nodes it may use count",
        ),
    ],
)
def test_possible_nodes(wanted, placed, possible):
    seen = picture(NODES, placed)
    seen.set_namespace("team-x", {"team": "x"})
    assert set(Evaluation(pending(wanted).shape, seen).possible()) == possible


@pytest.mark.parametrize(
    ("wanted", "placed", "reasons"),
    [
        pytest.param(
            app("web", affinity=near(term("db"))), [], "4 node(s) didn't match pod affinity rules", id="near nobody"
        ),
        pytest.param(
            app("web", affinity={**near(term("db")), **away(term("web", HOST))}),
            [app("db", "b1"), app("web", "b1")],
            "1 node(s) didn't match pod anti-affinity rules, 3 node(s) didn't match pod affinity rules",
            id="near and away",
        ),
        pytest.param(
            app("web", nodeSelector={ZONE: "a"}),
            [app("db", "a1", affinity=away(term("web")))],
            "2 node(s) didn't match Pod's node affinity/selector, "
            "2 node(s) didn't satisfy existing pods anti-affinity rules",
            id="unwanted",
        ),
        pytest.param(
            app("web", topologySpreadConstraints=[spread("web", minDomains=3)]),
            [app("web", "a1"), app("web", "b1")],
            "1 node(s) didn't match pod topology spread constraints (missing required label), "
            "3 node(s) didn't match pod topology spread constraints",
            id="spread",
        ),
    ],
)
def test_reasons(wanted, placed, reasons):
    [rejection] = decide([pending(wanted)], picture(NODES, placed)).rejections
    assert rejection.message.startswith(f"0/4 nodes are available: {reasons}. ")


@pytest.mark.parametrize(
    ("wanted", "placed", "best"),
    [
        pytest.param(app("web", affinity=rather("podAffinity", term("db"))), [app("db", "b1")], "b1", id="rather near"),
        pytest.param(
            app("web", affinity=rather("podAntiAffinity", term("db"))),
            [app("db", "a1"), app("db", "nowhere")],
            "b1",
            id="rather away",
        ),
        pytest.param(
            app("web"), [app("db", "b1", affinity=rather("podAffinity", term("web")))], "b1", id="others want us near"
        ),
        pytest.param(app("web"), [app("db", "b1", affinity=near(term("web")))], "b1", id="others need us near"),
        pytest.param(
            app("web", topologySpreadConstraints=[spread("web", when="ScheduleAnyway")]),
            [app("web", "a1"), app("x", "b1", cpu="1")],
            "b1",
            id="rather spread",
        ),
    ],
)
def test_best_node(wanted, placed, best):
    [placement] = decide(
        [pending(wanted)], picture(NODES[:3], [p for p in placed if p["spec"]["nodeName"] != "nowhere"])
    ).placements
    assert placement.node == best


def test_rather_spread_over_a_label_that_no_node_has():
    wanted = app("web", topologySpreadConstraints=[spread("web", "rack", when="ScheduleAnyway")])
    assert len(decide([pending(wanted)], picture(NODES[:3])).placements) == 1


def test_one_per_node_and_no_more():
    decision = decide(replicas(5, labels={"app": "web"}, affinity=away(term("web", HOST))), picture(NODES))
    assert sorted(placement.node for placement in decision.placements) == ["a1", "a2", "b1", "nowhere"]
    assert len(decision.rejections) == 1


def test_a_terminating_pod_counts_for_affinity_but_not_for_spreading():
    seen = picture(NODES)
    seen.set_pod("default/old", pending(app("web")).shape, "a1", terminating=True)
    away_from_it = pending(app("x", affinity=away(term("web"))))
    assert set(Evaluation(away_from_it.shape, seen).possible()) == {"b1", "nowhere"}
    spreading = pending(app("web", topologySpreadConstraints=[spread("web")]))
    assert set(Evaluation(spreading.shape, seen).possible()) == {"a1", "a2", "b1"}


def test_a_namespace_that_changes_its_labels_is_seen_anew():
    seen = picture(NODES, [app("db", "b1", namespace="other")])
    wanted = pending(app("web", affinity=near(term("db", namespaceSelector={"matchLabels": {"team": "x"}}))))
    assert Evaluation(wanted.shape, seen).possible() == []
    seen.set_namespace("other", {"team": "x"})
    assert Evaluation(wanted.shape, seen).possible() == ["b1"]


# The slow and obvious check: what a user would count by hand.

ZONE_OF = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "c1": "c"}
FIELD = [node(name, pods="3", labels={ZONE: zone}) for name, zone in ZONE_OF.items()]
apps = st.sampled_from(["web", "db"])
keys = st.sampled_from([ZONE, HOST])
constraints = st.one_of(
    st.none(),
    st.builds(lambda app, key: {"affinity": near(term(app, key))}, apps, keys),
    st.builds(lambda app, key: {"affinity": away(term(app, key))}, apps, keys),
    st.builds(
        lambda app, key, skew: {"topologySpreadConstraints": [spread(app, key, skew)]}, apps, keys, st.integers(1, 2)
    ),
)
groups_of_pods = st.lists(st.tuples(apps, constraints, st.integers(1, 4)), max_size=5)


def domain(key, name):
    return name if key == HOST else ZONE_OF[name]


def is_allowed(one, name, there):
    """`there`: (pod, node) of all placed before."""
    labels, spec = one["metadata"]["labels"], one["spec"]
    affinity = spec.get("affinity") or {}
    for wish in (affinity.get("podAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution", []):
        app_wanted, key = wish["labelSelector"]["matchLabels"]["app"], wish["topologyKey"]
        matching = [at for other, at in there if other["metadata"]["labels"]["app"] == app_wanted]
        is_first = not matching and labels["app"] == app_wanted
        if not is_first and domain(key, name) not in {domain(key, at) for at in matching}:
            return False
    for wisher, other, at in [(one, other, at) for other, at in there] + [(other, one, at) for other, at in there]:
        wishes = ((wisher["spec"].get("affinity") or {}).get("podAntiAffinity") or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution", []
        )
        for wish in wishes:
            same = domain(wish["topologyKey"], name) == domain(wish["topologyKey"], at)
            if same and other["metadata"]["labels"]["app"] == wish["labelSelector"]["matchLabels"]["app"]:
                return False
    for constraint in spec.get("topologySpreadConstraints") or []:
        app_counted, key = constraint["labelSelector"]["matchLabels"]["app"], constraint["topologyKey"]
        counted = collections.Counter(
            domain(key, at) for other, at in there if other["metadata"]["labels"]["app"] == app_counted
        )
        fewest = min(counted[domain(key, at)] for at in ZONE_OF)
        own = labels["app"] == app_counted
        if counted[domain(key, name)] + own - fewest > constraint["maxSkew"]:
            return False
    return sum(at == name for _, at in there) < 3


@settings(max_examples=200)
@given(groups_of_pods)
def test_every_placement_is_allowed_and_every_refusal_right(shapes):
    bodies = {}
    for index, (name, more, count) in enumerate(shapes):
        for number in range(count):
            body = pod(f"{index}-{number}", labels={"app": name, "group": str(index)}, **(more or {}))
            bodies[f"default/{index}-{number}"] = body
    decision = decide([pending(body) for body in bodies.values()], picture(FIELD))
    placed = {placement.pod.key: placement.node for placement in decision.placements}
    there: list[tuple[Object, str]] = []
    for key, body in bodies.items():
        if key in placed:
            assert is_allowed(body, placed[key], there), (key, placed[key])
            there.append((body, placed[key]))
        else:
            assert not [name for name in ZONE_OF if is_allowed(body, name, there)], key


@pytest.mark.parametrize(("policy", "possible"), [("Ignore", []), ("Honor", ["a1", "b1"])])
def test_zones_behind_taints_count_by_policy(policy, possible):
    """A zone that a pod cannot go to holds it up, unless taints are honoured."""
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    nodes = [
        node("a1", labels={ZONE: "a"}),
        node("b1", labels={ZONE: "b"}),
        node("c1", labels={ZONE: "c"}, taints=[taint]),
    ]
    wanted = app("web", topologySpreadConstraints=[spread("web", nodeTaintsPolicy=policy)])
    seen = picture(nodes, [app("web", "a1"), app("web", "b1")])
    assert Evaluation(pending(wanted).shape, seen).possible() == possible
