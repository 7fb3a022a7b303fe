"""What Ingresses ask for, as rules, backends, certificates and complaints."""

from collections.abc import Sequence
from typing import Any

import pytest

from steersman.ingress import backends, ingresses
from steersman.ingress.backends import Backend, Server
from steersman.ingress.wanted import Certificate, Look, Wanted
from steersman.meta.objects import Object
from tests.ingress.kit import endpoint_slice, ingress, look, service, to

OURS = {"metadata": {"name": "steersman"}, "spec": {"controller": ingresses.CONTROLLER}}
THEIRS = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}


def asked(these: Sequence[Object], look: Look) -> Wanted:
    wanted = Wanted()
    ingresses.add(wanted, these, look)
    assert wanted.ports[80].rules == wanted.ports[443].rules
    return wanted


def targets(wanted: Wanted) -> list[tuple[str, str, bool, str]]:
    return [(one.host, one.path, one.exact, one.action.targets[0].backend) for one in wanted.ports[80].rules]


def test_only_ingresses_of_our_class_oldest_first():
    young, old = ingress("young"), ingress("old")
    young["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    other = ingress("other", ingressClassName="nginx")
    none = ingress("none", ingressClassName=None)
    named = ingress("named", ingressClassName=None)
    named["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "steersman"}
    going = ingress("going")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    served = ingresses.served([young, other, none, named, going, old], [OURS, THEIRS])
    assert [one["metadata"]["name"] for one in served] == ["named", "old", "young"]


def test_paths_become_rules():
    one = ingress("web", ("/", "Prefix", "web"), ("/x/", "ImplementationSpecific", "web"), ("/e", "Exact", "web"))
    wanted = asked([one], look([service("web")], [endpoint_slice("web", 8080, "10.0.0.2", "10.0.0.1")]))
    assert targets(wanted) == [
        ("a.test", "/", False, "default.web.80"),
        ("a.test", "/x", False, "default.web.80"),
        ("a.test", "/e", True, "default.web.80"),
    ]
    servers = (Server("10.0.0.1", 8080), Server("10.0.0.2", 8080))
    assert wanted.backends == {"default.web.80": Backend("default.web.80", servers)}
    assert wanted.problems == []


def test_default_backends_come_behind_all_rules():
    whole = ingress("whole", defaultBackend=to("rest"))
    one = ingress("web", ("/a", "Prefix", "web"), defaultBackend=to("own"))
    wanted = asked([whole, one], look([service("web"), service("rest"), service("own")]))
    assert targets(wanted) == [
        ("a.test", "/a", False, "default.web.80"),
        ("", "/", False, "default.rest.80"),
        ("a.test", "/", False, "default.own.80"),
    ]


@pytest.mark.parametrize(
    ("backend", "reason", "message"),
    [
        (to("nobody"), "ServiceNotFound", 'service "default/nobody" not found'),
        (to("web", 81), "ServiceNotFound", 'service "default/web" has no port 81'),
        (to("web", "https"), "ServiceNotFound", 'service "default/web" has no port https'),
        ({"resource": {"kind": "Bucket", "name": "b"}}, "BackendNotSupported", None),
    ],
)
def test_what_is_missing_is_told_and_unavailable(backend, reason, message):
    wanted = asked([ingress("web", defaultBackend=backend)], look([service("web")]))
    assert targets(wanted) == [("", "/", False, "unavailable")]
    (problem,) = wanted.problems
    assert problem.reason == reason
    assert message in (None, problem.message)


def test_tls():
    one = ingress(
        "web", ("/", "Prefix", "web"), tls=[{"secretName": "good"}, {"hosts": ["b.test"], "secretName": "bad"}]
    )
    one["metadata"]["annotations"] = {ingresses.REDIRECT_ANNOTATION: "true"}
    wanted = asked([one], look([service("web")], certificates={"default/good": "PEM"}))
    assert wanted.ports[443].certificates == [Certificate("default.good", "PEM", ("a.test",))]
    assert wanted.ports[80].https_only == {"a.test", "b.test"}
    assert [problem.reason for problem in wanted.problems] == ["SecretNotFound"]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"ready": True}, 1),
        ({"ready": False}, 0),
        ({"ready": False, "serving": True, "terminating": True}, 1),
        ({"ready": False, "serving": True, "terminating": False}, 0),
    ],
)
def test_who_gets_requests(conditions, expected):
    found = backends.resolve(
        backends.Reference("default", "web", "http"),
        look([service("web")]).service,
        look(slices=[endpoint_slice("web", 1, "10.0.0.1", **conditions)]).slices,
    )
    assert isinstance(found, Backend)
    assert len(found.servers) == expected


def test_protocols_affinity_and_names():
    def resolved(**how: Any) -> Backend:
        one = service("web", **how)
        found = backends.resolve(backends.Reference("default", "web", 80), {"default/web": one}.get, lambda key: ())
        assert isinstance(found, Backend)
        return found

    assert resolved(protocol="https").protocol == "https"
    assert resolved(protocol="kubernetes.io/h2c").protocol == "h2c"
    assert resolved(sessionAffinity="ClientIP").sticky
    named = resolved(type="ExternalName", externalName="example.com")
    assert (named.name, named.servers) == ("example.com", (Server("example.com", 80),))
