"""Gateways and HTTPRoutes: the rules they become, and what their statuses say."""

import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from steersman.ingress import routes
from steersman.ingress.gateway import decide, definitions, http_routes
from steersman.ingress.gateway.decide import Status
from steersman.ingress.gateway.listeners import Seen
from steersman.ingress.routes import Action, Condition, Headers, Redirect, Rewrite, Target
from steersman.ingress.wanted import Look, Wanted
from steersman.meta import conditions
from steersman.meta.objects import Object
from tests.ingress.kit import endpoint_slice, look, service

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
CLASS: Object = {
    "metadata": {"name": "steersman"},
    "spec": {"controllerName": "steersman.io/gateway"},
    "kind": "GatewayClass",
}
LOOK = look(
    [service("web"), service("v2")],
    [endpoint_slice("web", 8080, "10.0.0.1"), endpoint_slice("v2", 8080, "10.0.0.2")],
    {"default/tls": "PEM"},
)


def gateway(*listeners: Object, name: str = "edge", namespace: str = "default") -> Object:
    metadata = {"name": name, "namespace": namespace, "generation": 3}
    return {
        "kind": "Gateway",
        "metadata": metadata,
        "spec": {"gatewayClassName": "steersman", "listeners": list(listeners or (listener(),))},
    }


def listener(name: str = "http", port: int = 80, protocol: str = "HTTP", **more: Any) -> Object:
    return {"name": name, "port": port, "protocol": protocol, **more}


def route(*rules: Object, parent: Object | None = None, hosts: tuple[str, ...] = (), **more: Any) -> Object:
    spec: Object = {"parentRefs": [{"name": "edge", **(parent or {})}], "rules": list(rules or (rule(),))}
    if hosts:
        spec["hostnames"] = list(hosts)
    metadata = {"name": "r", "namespace": "default", "generation": 2, **more}
    return {"kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def rule(*backends: Object, match: Object | None = None, **more: Any) -> Object:
    made: Object = {"backendRefs": list(backends or (to(),)), **more}
    return made | ({"matches": [match]} if match else {})


def to(name: str = "web", port: int = 80, **more: Any) -> Object:
    return {"name": name, "port": port, **more}


def decided(
    gateways: list[Object], these: Sequence[Object] = (), *, look: Look = LOOK, **seen: Any
) -> tuple[Wanted, list[Status]]:
    found = Wanted()
    return found, decide.add(found, Seen([CLASS], gateways, these, **seen), look, "172.30.0.1", NOW)


def said(statuses: list[Status], kind: str, type: str, of: str = "") -> tuple[str, str]:  # noqa: A002
    """(status, reason) of a condition: of the object, its only parent, or its listener `of`."""
    status = next(one.status for one in statuses if one.obj["kind"] == kind)
    told = status.get("conditions")
    if kind == "HTTPRoute":
        told = status["parents"][0]["conditions"]
    elif of:
        told = next(one["conditions"] for one in status["listeners"] if one["name"] == of)
    condition = conditions.find(told or (), type)
    assert condition is not None
    return condition["status"], condition["reason"]


def test_a_route_becomes_rules_and_everybody_is_told():
    found, statuses = decided([gateway()], [route(hosts=("a.test",))])
    (only,) = found.ports[80].rules
    assert (only.host, only.path, only.action) == ("a.test", "/", Action((Target("default.web.80"),)))
    assert said(statuses, "GatewayClass", "Accepted") == ("True", "Accepted")
    assert said(statuses, "Gateway", "Programmed") == ("True", "Programmed")
    assert said(statuses, "HTTPRoute", "Accepted") == ("True", "Accepted")
    assert said(statuses, "HTTPRoute", "ResolvedRefs") == ("True", "ResolvedRefs")
    status = next(one.status for one in statuses if one.obj["kind"] == "Gateway")
    assert status["addresses"] == [{"type": "IPAddress", "value": "172.30.0.1"}]
    assert [(one["name"], one["attachedRoutes"]) for one in status["listeners"]] == [("http", 1)]
    assert {one["observedGeneration"] for one in status["conditions"]} == {3}


def test_deciding_again_after_writing_the_statuses_says_nothing():
    objects = [CLASS, gateway(), route()]
    _, statuses = decided([objects[1]], [objects[2]])
    after = {one.obj["kind"]: {**one.obj, "status": one.status} for one in statuses}
    later = NOW + datetime.timedelta(hours=1)
    seen = Seen([after["GatewayClass"]], [after["Gateway"]], [after["HTTPRoute"]])
    assert decide.add(Wanted(), seen, LOOK, "172.30.0.1", later) == []


@pytest.mark.parametrize(
    ("listeners", "condition", "expected"),
    [
        ((listener(protocol="TCP"),), "Accepted", ("False", "UnsupportedProtocol")),
        ((listener(protocol="HTTPS", tls={"mode": "Passthrough"}),), "Accepted", ("False", "UnsupportedValue")),
        ((listener(protocol="HTTPS"),), "ResolvedRefs", ("False", "InvalidCertificateRef")),
        (
            (listener(protocol="HTTPS", tls={"certificateRefs": [{"name": "none"}]}),),
            "Programmed",
            ("False", "Invalid"),
        ),
        (
            (listener(protocol="HTTPS", tls={"certificateRefs": [{"name": "tls"}]}),),
            "Programmed",
            ("True", "Programmed"),
        ),
        ((listener(), listener("other")), "Conflicted", ("True", "HostnameConflict")),
        ((listener(), listener("other", protocol="HTTPS")), "Conflicted", ("True", "ProtocolConflict")),
        ((listener(), listener("other", hostname="a.test")), "Conflicted", ("False", "NoConflicts")),
        ((listener(allowedRoutes={"kinds": [{"kind": "TCPRoute"}]}),), "ResolvedRefs", ("False", "InvalidRouteKinds")),
    ],
)
def test_listeners(listeners, condition, expected):
    _, statuses = decided([gateway(*listeners)])
    assert said(statuses, "Gateway", condition, "http") == expected


def test_a_certificate_elsewhere_needs_a_grant():
    one = listener(protocol="HTTPS", tls={"certificateRefs": [{"name": "tls", "namespace": "certs"}]})
    elsewhere = look([service("web")], certificates={"certs/tls": "PEM"})
    _, statuses = decided([gateway(one)], look=elsewhere)
    assert said(statuses, "Gateway", "ResolvedRefs", "http") == ("False", "RefNotPermitted")
    who = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "default"}
    grant = {
        "metadata": {"name": "g", "namespace": "certs"},
        "spec": {"from": [who], "to": [{"group": "", "kind": "Secret"}]},
    }
    found, statuses = decided([gateway(one)], look=elsewhere, grants=[grant])
    assert said(statuses, "Gateway", "ResolvedRefs", "http") == ("True", "ResolvedRefs")
    assert [one.name for one in found.ports[80].certificates] == ["certs.tls"]


@pytest.mark.parametrize(
    ("given", "condition", "expected"),
    [
        (route(parent={"sectionName": "none"}), "Accepted", ("False", "NoMatchingParent")),
        (route(parent={"port": 81}), "Accepted", ("False", "NoMatchingParent")),
        (route(namespace="other", parent={"namespace": "default"}), "Accepted", ("False", "NotAllowedByListeners")),
        (route(hosts=("b.test",)), "Accepted", ("False", "NoMatchingListenerHostname")),
        (route(rule(to("none"))), "ResolvedRefs", ("False", "BackendNotFound")),
        (route(rule(to("web", 81))), "ResolvedRefs", ("False", "BackendNotFound")),
        (route(rule(to(kind="Bucket"))), "ResolvedRefs", ("False", "InvalidKind")),
        (route(rule(to(namespace="other"))), "ResolvedRefs", ("False", "RefNotPermitted")),
        (route(rule(filters=[{"type": "RequestMirror"}])), "Accepted", ("False", "UnsupportedValue")),
        (
            route(rule(match={"path": {"type": "RegularExpression", "value": "/.*"}})),
            "Accepted",
            ("False", "UnsupportedValue"),
        ),
    ],
)
def test_routes_that_cannot_be_served_say_why(given, condition, expected):
    _, statuses = decided([gateway(listener(hostname="a.test"))], [given])
    assert said(statuses, "HTTPRoute", condition) == expected


def test_a_missing_backend_gets_its_share_of_errors():
    found, _ = decided([gateway()], [route(rule(to(weight=3), to("none", weight=1)))])
    assert found.ports[80].rules[0].action.targets == (Target("default.web.80", 3), Target("", 1))


def test_matches_and_filters():
    match = {
        "path": {"type": "Exact", "value": "/x/"},
        "method": "POST",
        "headers": [{"name": "a", "value": "1"}, {"name": "b", "value": "2", "type": "RegularExpression"}],
        "queryParams": [{"name": "q", "value": "3"}],
    }
    filters = [
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": "s", "value": "1"}], "remove": ["x"]},
        },
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "a", "value": "2"}]}},
        {
            "type": "URLRewrite",
            "urlRewrite": {"hostname": "in.test", "path": {"type": "ReplaceFullPath", "replaceFullPath": "/y"}},
        },
    ]
    found, _ = decided([gateway()], [route(rule(match=match, filters=filters, timeouts={"request": "1m30s500ms"}))])
    (only,) = found.ports[80].rules
    assert (only.path, only.exact) == ("/x/", True)
    assert only.conditions == (
        Condition("method", "", "POST"),
        Condition("header", "a", "1"),
        Condition("header", "b", "2", regex=True),
        Condition("query", "q", "3"),
    )
    assert only.action == Action(
        (Target("default.web.80"),),
        rewrite=Rewrite("in.test", "/y"),
        request_headers=Headers(set=(("s", "1"),), remove=("x",)),
        response_headers=Headers(add=(("a", "2"),)),
        timeout_seconds=90.5,
    )


def test_redirects():
    asked = {"scheme": "https", "statusCode": 301, "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}
    found, _ = decided([gateway()], [route({"filters": [{"type": "RequestRedirect", "requestRedirect": asked}]})])
    assert found.ports[80].rules[0].action == Action(redirect=Redirect(301, "https", path="/new", prefix=True))


def test_statuses_of_other_controllers_stay():
    other = {"parentRef": {"name": "theirs"}, "controllerName": "else.io/x", "conditions": []}
    given = route()
    given["status"] = {"parents": [other]}
    _, statuses = decided([gateway()], [given])
    status = next(one.status for one in statuses if one.obj["kind"] == "HTTPRoute")
    assert [one["controllerName"] for one in status["parents"]] == ["else.io/x", "steersman.io/gateway"]


@pytest.mark.parametrize(
    ("listener", "asked", "expected"),
    [
        ("", "", ""),
        ("", "a.test", "a.test"),
        ("a.test", "", "a.test"),
        ("*.test", "a.test", "a.test"),
        ("*.test", "b.a.test", "b.a.test"),
        ("*.test", "test", None),
        ("*.test", "*.a.test", "*.a.test"),
        ("*.a.test", "*.test", "*.a.test"),
        ("a.test", "b.test", None),
        ("a.test", "*.test", "a.test"),
    ],
)
def test_common_host_names(listener, asked, expected):
    assert http_routes.common_host(listener, asked) == expected


def test_wildcards_stand_for_several_labels():
    found, _ = decided([gateway()], [route(hosts=("*.test",))])
    assert list(routes.table(found.ports[80].rules)) == [("**.test", "/", False)]


def test_definitions_are_whole():
    names = [one["metadata"]["name"].partition(".")[0] for one in definitions.all_definitions()]
    assert names == ["gatewayclasses", "gateways", "httproutes", "referencegrants"]
