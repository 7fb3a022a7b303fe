"""Quotas follow what they count; ranges give and hold limits."""

import pytest

from tests.conformance.live import IMAGE, Object, Refused, Space, names, template, unique, wait

HARD = {
    "cpu": "1",
    "memory": "500Mi",
    "pods": "5",
    "services": "10",
    "replicationcontrollers": "10",
    "resourcequotas": "1",
    "configmaps": "10",
    "secrets": "10",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    "requests.ephemeral-storage": "50Gi",
    "requests.example.com/dongle": "3",
    "count/replicasets.apps": "5",
}


def quota(space: Space, name: str = "test-quota", hard: dict[str, str] = HARD, **spec: object) -> None:
    space.create("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    used(space, name, {})


def used(space: Space, name: str, expect: dict[str, str]) -> None:
    """Wait until `expect` is used (0 where not named)."""

    def look() -> bool:
        found = space.get("resourcequotas", name)
        status = found.get("status", {})
        figures = {key: expect.get(key, status["used"].get(key)) for key in status.get("used", {})}
        return bool(status.get("hard") == found["spec"]["hard"] and status["used"] == figures)

    wait(f"{name} uses {expect}", look)


def thing(kind: str) -> Object:
    made: dict[str, Object] = {
        "configmaps": {"data": {"a": "b"}},
        "secrets": {"stringData": {"a": "b"}},
        "services": {"spec": {"type": "NodePort", "ports": [{"port": 80}]}},
        "replicationcontrollers": {"spec": {"replicas": 0, "template": template({"a": "b"})}},
        "apps/v1/replicasets": {
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template({"a": "b"})}
        },
    }
    return {"metadata": {"name": "test"}, **made[kind]}


COUNTED = {
    "configmaps": {"configmaps": "2"},  # kube-root-ca.crt is one
    "secrets": {"secrets": "1"},
    "services": {"services": "1", "services.nodeports": "1"},
    "replicationcontrollers": {"replicationcontrollers": "1"},
    "apps/v1/replicasets": {"count/replicasets.apps": "1"},
}


@pytest.mark.parametrize("kind", COUNTED)
def test_the_life_of(space: Space, kind: str) -> None:
    wait("the account's objects are there", lambda: space.get("configmaps", "kube-root-ca.crt"))
    quota(space)
    used(space, "test-quota", {"resourcequotas": "1", "configmaps": "1"})
    space.create(kind, thing(kind))
    used(space, "test-quota", COUNTED[kind])
    if kind == "services":
        refused_service(
            space,
            "NodePort",
            "requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1",
        )
        refused_service(space, "LoadBalancer", "services.nodeports=1")
    space.api.delete(space.path(kind, "test"))
    used(space, "test-quota", {name: "1" if name == "configmaps" else "0" for name in COUNTED[kind]})


def refused_service(space: Space, kind: str, said: str) -> None:
    with pytest.raises(Refused, match="403 Forbidden") as refused:
        space.create("services", {"metadata": {"name": "more"}, "spec": {"type": kind, "ports": [{"port": 80}]}})
    assert 'services "more" is forbidden: exceeded quota: test-quota, ' in refused.value.message
    assert said in refused.value.message


def sized(name: str, requests: dict[str, str], limits: dict[str, str] | None = None, **spec: object) -> Object:
    resources = {"requests": requests, "limits": limits or {}}
    main = {"name": "c", "image": IMAGE, "command": ["sleep", "100000"], "resources": resources}
    selector = {"nodeSelector": {"no": "node"}}
    return {"metadata": {"name": name}, "spec": {"containers": [main], **selector, **spec}}


def test_the_life_of_a_pod(space: Space) -> None:
    quota(space)
    dongle = {"requests.example.com/dongle": "2", "requests.ephemeral-storage": "30Gi"}
    requests = {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2"}
    space.create("pods", sized("one", requests, {"example.com/dongle": "2"}))
    used(space, "test-quota", {"pods": "1", "cpu": "500m", "memory": "252Mi", **dongle})
    for more, limits in (
        ({"cpu": "600m", "memory": "100Mi"}, {}),
        (
            {"cpu": "500m", "memory": "100Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2"},
            {"example.com/dongle": "2"},
        ),
    ):
        with pytest.raises(Refused, match='403 Forbidden: pods "two" is forbidden: exceeded quota: test-quota'):
            space.create("pods", sized("two", more, limits))
    with pytest.raises(Refused, match="422"):
        space.api.patch(
            space.path("pods", "one"),
            {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]}},
            "strategic",
        )
    used(space, "test-quota", {"pods": "1", "cpu": "500m", "memory": "252Mi", **dongle})
    space.api.delete(space.path("pods", "one"), {"gracePeriodSeconds": 0})
    used(space, "test-quota", {"pods": "0", "cpu": "0", "memory": "0", **dict.fromkeys(dongle, "0")})


def test_scopes_of_quality(space: Space) -> None:
    quota(space, "best", {"pods": "5"}, scopes=["BestEffort"])
    quota(space, "not-best", {"pods": "5"}, scopes=["NotBestEffort"])
    space.create("pods", sized("free", {}))
    used(space, "best", {"pods": "1"})
    used(space, "not-best", {"pods": "0"})
    space.api.delete(space.path("pods", "free"), {"gracePeriodSeconds": 0})
    used(space, "best", {"pods": "0"})
    space.create("pods", sized("burst", {"cpu": "5m"}, {"cpu": "10m"}))
    used(space, "not-best", {"pods": "1"})
    used(space, "best", {"pods": "0"})
    space.api.delete(space.path("pods", "burst"), {"gracePeriodSeconds": 0})
    used(space, "not-best", {"pods": "0"})


def test_scopes_of_ends(space: Space) -> None:
    hard = {"requests.cpu": "1", "requests.memory": "500Mi", "limits.cpu": "2", "limits.memory": "1Gi", "pods": "5"}
    quota(space, "ending", hard, scopes=["Terminating"])
    quota(space, "lasting", hard, scopes=["NotTerminating"])
    requests, limits = {"cpu": "500m", "memory": "200Mi"}, {"cpu": "1", "memory": "400Mi"}
    figures = {
        "requests.cpu": "500m",
        "requests.memory": "200Mi",
        "limits.cpu": "1",
        "limits.memory": "400Mi",
        "pods": "1",
    }
    for name, counts, other in (("forever", "lasting", "ending"), ("an-hour", "ending", "lasting")):
        deadline = {"activeDeadlineSeconds": 3600} if counts == "ending" else {}
        space.create("pods", sized(name, requests, limits, **deadline))
        used(space, counts, figures)
        used(space, other, dict.fromkeys(figures, "0"))
        space.api.delete(space.path("pods", name), {"gracePeriodSeconds": 0})
        used(space, counts, dict.fromkeys(figures, "0"))


def test_changed_and_deleted(space: Space) -> None:
    quota(space, "q", {"cpu": "1", "memory": "500Mi"})
    address = space.path("resourcequotas", "q")
    space.api.change(address, lambda found: found["spec"].update(hard={"cpu": "2", "memory": "1Gi"}))
    wait("the status follows", lambda: space.api.get(address)["status"]["hard"] == {"cpu": "2", "memory": "1Gi"})
    space.api.patch(f"{address}/status", {"status": {"hard": {"cpu": "10"}}})
    wait("the status is put right", lambda: space.api.get(address)["status"]["hard"] == {"cpu": "2", "memory": "1Gi"})
    assert space.api.get(address)["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
    space.api.delete(address)
    with pytest.raises(Refused, match="404"):
        space.api.get(address)


LIMITS = {
    "type": "Container",
    "min": {"cpu": "50m", "memory": "100Mi", "ephemeral-storage": "100Gi"},
    "max": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    "default": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    "defaultRequest": {"cpu": "100m", "memory": "200Mi", "ephemeral-storage": "200Gi"},
}


def resources(found: Object) -> Object:
    result: Object = found["spec"]["containers"][0]["resources"]
    return result


def test_a_range_gives_and_holds_limits(space: Space) -> None:
    with space.api.watch(space.path("limitranges")) as events:
        made = space.create("limitranges", {"metadata": {"name": "limit-range"}, "spec": {"limits": [LIMITS]}})
        assert next(events)["type"] == "ADDED"
    assert made["spec"]["limits"] == [LIMITS]
    found = space.create("pods", sized("none", {}))
    assert resources(found) == {"requests": LIMITS["defaultRequest"], "limits": LIMITS["default"]}
    partial = sized("partial", {"cpu": "100m", "memory": "100Mi"}, {"memory": "300Mi"})
    assert resources(space.create("pods", partial)) == {
        "requests": {"cpu": "100m", "memory": "100Mi", "ephemeral-storage": "200Gi"},
        "limits": {"cpu": "500m", "memory": "300Mi", "ephemeral-storage": "500Gi"},
    }
    with pytest.raises(Refused, match=r"403 Forbidden.*minimum cpu usage per Container is 50m, but request is 10m"):
        space.create("pods", sized("small", {"cpu": "10m"}))
    with pytest.raises(Refused, match=r"403 Forbidden.*maximum cpu usage per Container is 500m, but limit is 600m"):
        space.create("pods", sized("large", {"cpu": "600m"}, {"cpu": "600m"}))
    address = space.path("limitranges", "limit-range")
    space.api.change(address, lambda found: found["spec"]["limits"][0].update(min={"cpu": "9m", "memory": "100Mi"}))
    wait("less is enough", lambda: space.create("pods", sized("small", {"cpu": "10m"})))
    with pytest.raises(Refused, match="403 Forbidden"):
        space.create("pods", sized("large", {"cpu": "600m"}, {"cpu": "600m"}))
    space.api.delete(address)
    free = space.create("pods", sized("free", {"cpu": "600m"}, {"cpu": "600m"}))
    assert resources(free)["limits"] == {"cpu": "600m"}


def test_ranges_of_two_namespaces(space: Space) -> None:
    other, word = Space.made(space.api, f"{space.name}-2"), unique("range")
    for one in (space, other):
        body = {"metadata": {"name": word, "labels": {word: "created"}}, "spec": {"limits": [LIMITS]}}
        one.create("limitranges", body)
    assert len(space.api.items("/api/v1/limitranges", labelSelector=f"{word}=created")) == 2
    body = {"metadata": {"labels": {word: "patched"}}, "spec": {"limits": [LIMITS | {"min": {"cpu": "40m"}}]}}
    patched = space.api.patch(space.path("limitranges", word), body, "strategic")
    assert patched["spec"]["limits"][0]["min"] == {"cpu": "40m"}
    space.api.delete(space.path("limitranges"), labelSelector=f"{word}=patched")
    left = space.api.items("/api/v1/limitranges", labelSelector=word)
    assert [one["metadata"]["namespace"] for one in left] == [other.name]
    assert names(left) == {word}
    space.api.delete(f"/api/v1/namespaces/{other.name}")
