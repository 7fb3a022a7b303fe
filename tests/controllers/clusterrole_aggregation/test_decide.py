"""Which rules an aggregated role has."""

from typing import Any

from steersman.api import kinds
from steersman.controllers.clusterrole_aggregation import decide
from steersman.controllers.clusterrole_aggregation.decide import Seen
from tests.controllers import paper


def rule(resource):
    return {"verbs": ["get"], "apiGroups": [""], "resources": [resource]}


def role(name, *resources, **more):
    meta = {"name": name, "uid": name, "resourceVersion": "1", "labels": more.pop("labels", {})}
    return {"metadata": meta, "rules": [rule(one) for one in resources], **more}


def selecting(*labels, **more):
    return role(
        "all", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {one: "true"}} for one in labels]}, **more
    )


A, B = {"a": "true"}, {"b": "true"}
ROLES = [role("z", "pods", labels=A), role("m", "secrets", "pods", labels=B), role("x", "nodes")]


def rules(found, roles=ROLES) -> Any:
    """The resources of the rules that are written; None when nothing is."""
    actions: Any = decide.decide(Seen(found, [*roles, found])).actions
    return [one["resources"][0] for one in actions[0].patch["rules"]] if actions else None


def test_selected_roles_in_the_order_of_their_names():
    assert rules(selecting("a", "b")) == ["secrets", "pods"]
    assert rules(selecting("a")) == ["pods"]
    assert rules(selecting("c")) is None


def test_never_its_own():
    mine = selecting("a", labels=A)
    mine["rules"] = [rule("pods")]
    assert rules(mine) is None


def test_whoever_has_the_label_adds_to_the_default_roles():
    async def story():
        async with paper.cluster() as cluster:
            labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
            more = {"verbs": ["get"], "apiGroups": ["stable.example.com"], "resources": ["crontabs"]}
            added = {"metadata": {"name": "crontabs", "labels": labels}, "rules": [more]}
            before = {name: await cluster.get(kinds.CLUSTER_ROLE, name) for name in ("view", "edit", "admin")}
            await cluster.create(kinds.CLUSTER_ROLE, added)
            await cluster.settle(2)
            for name in before:
                assert more in (await cluster.get(kinds.CLUSTER_ROLE, name))["rules"]
            await cluster.delete(kinds.CLUSTER_ROLE, "crontabs")
            await cluster.settle(2)
            for name, old in before.items():
                assert (await cluster.get(kinds.CLUSTER_ROLE, name))["rules"] == old["rules"]

    paper.run(story)
