"""Ingresses, IngressClasses, NetworkPolicies, ServiceCIDRs and IPAddresses: what is refused, and how."""

import pytest

from steersman.api import kinds
from tests.api import builders

SERVICE = {"service": {"name": "web", "port": {"number": 80}}}


def path(**fields):
    return {"path": "/", "pathType": "Prefix", "backend": SERVICE, **fields}


def ingress(**spec):
    spec.setdefault("rules", [{"host": "a.example", "http": {"paths": [path()]}}])
    return builders.of_kind(kinds.INGRESS, spec=spec)


def with_path(**fields):
    return ingress(rules=[{"http": {"paths": [path(**fields)]}}])


HERE = "spec.rules[0].http.paths[0]"
INGRESSES = {
    "right": (ingress(), None),
    "default backend only": (builders.of_kind(kinds.INGRESS, spec={"defaultBackend": SERVICE}), None),
    "wildcard host": (ingress(rules=[{"host": "*.example.com"}], tls=[{"hosts": ["*.example.com"]}]), None),
    "nothing": (
        builders.of_kind(kinds.INGRESS, spec={}),
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified",
    ),
    "no path type": (with_path(pathType=None), f"{HERE}.pathType: Required value: pathType must be specified"),
    "path type": (
        with_path(pathType="Regex"),
        f'{HERE}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"',
    ),
    "relative": (with_path(path="x"), f'{HERE}.path: Invalid value: "x": must be an absolute path'),
    "up": (with_path(path="/a/../b"), f"{HERE}.path: Invalid value: \"/a/../b\": must not contain '/../'"),
    "dots": (with_path(path="/a/.."), f"{HERE}.path: Invalid value: \"/a/..\": cannot end with '/..'"),
    "address as host": (
        ingress(rules=[{"host": "1.2.3.4"}]),
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ),
    "wildcard in the middle": (
        ingress(rules=[{"host": "a.*.com"}]),
        'spec.rules[0].host: Invalid value: "a.*.com": a wildcard DNS-1123 subdomain must start with',
    ),
    "two ports": (
        with_path(backend={"service": {"name": "web", "port": {"number": 1, "name": "x"}}}),
        f'{HERE}.backend: Invalid value: "": cannot set both port name & port number',
    ),
    "no port": (
        with_path(backend={"service": {"name": "web"}}),
        f"{HERE}.backend: Required value: port name or number is required",
    ),
    "both backends": (
        with_path(backend={**SERVICE, "resource": {"kind": "x", "name": "y"}}),
        f'{HERE}.backend: Invalid value: "": cannot set both resource and service backends',
    ),
    "no backend": (
        with_path(backend={}),
        f'{HERE}.backend: Invalid value: "": resource or service backend is required',
    ),
    "class": (
        ingress(ingressClassName="A/b"),
        'spec.ingressClassName: Invalid value: "A/b": a lowercase RFC 1123 subdomain must consist of',
    ),
    "secret": (ingress(tls=[{"secretName": "A"}]), 'spec.tls[0].secretName: Invalid value: "A": a lowercase RFC'),
}


def check(kind, obj, expect, old=None):
    """`expect` is how one of the refusals begins; None where there must be none."""
    refused = builders.refused(kind, obj, old)
    if expect is None:
        assert refused == []
    else:
        assert any(text.startswith(expect) for text in refused), refused


@pytest.mark.parametrize(("obj", "expect"), INGRESSES.values(), ids=INGRESSES.keys())
def test_ingresses(obj, expect):
    check(kinds.INGRESS, obj, expect)


def test_an_annotation_and_a_class_must_agree_on_create_only():
    obj = ingress(ingressClassName="a")
    obj["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "b"}
    text = 'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are'
    check(kinds.INGRESS, obj, text)
    check(kinds.INGRESS, obj, None, old=obj)


def ingress_class(controller="example.com/x", **spec):
    return builders.of_kind(kinds.INGRESS_CLASS, spec={"controller": controller, **spec})


CLASSES = {
    "right": (ingress_class(parameters={"kind": "P", "name": "p"}), None),
    "no controller": (ingress_class(""), "spec.controller: Required value"),
    "no domain": (ingress_class("x"), 'spec.controller: Invalid value: "x": must be a domain-prefixed path'),
    "long": (ingress_class("a.b/" + "x" * 250), "spec.controller: Too long: may not be more than 250 bytes"),
    "scope": (
        ingress_class(parameters={"kind": "P", "name": "p", "scope": "World"}),
        'spec.parameters.scope: Unsupported value: "World": supported values: "Cluster", "Namespace"',
    ),
    "namespace missing": (
        ingress_class(parameters={"kind": "P", "name": "p", "scope": "Namespace"}),
        "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ),
    "namespace of all": (
        ingress_class(parameters={"kind": "P", "name": "p", "namespace": "x"}),
        "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
    ),
    "nothing named": (ingress_class(parameters={"kind": "P"}), "spec.parameters.name: Required value"),
}


@pytest.mark.parametrize(("obj", "expect"), CLASSES.values(), ids=CLASSES.keys())
def test_ingress_classes(obj, expect):
    check(kinds.INGRESS_CLASS, obj, expect)


def test_a_class_keeps_its_controller():
    text = 'spec.controller: Invalid value: "a.b/y": field is immutable'
    check(kinds.INGRESS_CLASS, ingress_class("a.b/y"), text, old=ingress_class("a.b/x"))


def policy(**spec):
    return builders.of_kind(kinds.NETWORK_POLICY, spec={"podSelector": {}, **spec})


def from_peer(**peer):
    return policy(ingress=[{"from": [peer]}])


def to_port(**port):
    return policy(egress=[{"ports": [port]}])


PEER, PORT = "spec.ingress[0].from[0]", "spec.egress[0].ports[0]"
POLICIES = {
    "right": (from_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}), None),
    "range": (to_port(port=80, endPort=90), None),
    "no peer": (from_peer(), f"{PEER}: Required value: must specify a peer"),
    "two peers": (
        from_peer(podSelector={}, ipBlock={"cidr": "10.0.0.0/8"}),
        f"{PEER}: Forbidden: may not specify both ipBlock and another peer",
    ),
    "cidr": (
        from_peer(ipBlock={"cidr": "10.0.0.1"}),
        f'{PEER}.ipBlock.cidr: Invalid value: "10.0.0.1": must be a valid CIDR value, (e.g. 10.9.8.0/24',
    ),
    "no cidr": (from_peer(ipBlock={"cidr": ""}), f"{PEER}.ipBlock.cidr: Required value"),
    "except": (
        from_peer(ipBlock={"cidr": "10.0.0.0/16", "except": ["10.0.0.0/8"]}),
        f'{PEER}.ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
    ),
    "other family": (
        from_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["fd00::/96"]}),
        f'{PEER}.ipBlock.except[0]: Invalid value: "fd00::/96": must be a strict subset of `cidr`',
    ),
    "port": (to_port(port=0), f"{PORT}.port: Invalid value: 0: must be between 1 and 65535, inclusive"),
    "port name": (to_port(port="a--b"), f'{PORT}.port: Invalid value: "a--b": must not contain consecutive hyphens'),
    "end before": (
        to_port(port=80, endPort=79),
        f"{PORT}.endPort: Invalid value: 79: must be greater than or equal to",
    ),
    "end of a name": (
        to_port(port="web", endPort=79),
        f"{PORT}.endPort: Invalid value: 79: may not be specified when `port` is non-numeric",
    ),
    "end of nothing": (
        to_port(endPort=79),
        f"{PORT}.endPort: Invalid value: 79: may not be specified when `port` is not specified",
    ),
    "protocol": (to_port(protocol="ICMP"), f'{PORT}.protocol: Unsupported value: "ICMP": supported values: "SCTP"'),
    "type": (policy(policyTypes=["Sideways"]), 'spec.policyTypes[0]: Unsupported value: "Sideways"'),
    "types": (policy(policyTypes=["Egress"] * 3), 'spec.policyTypes: Invalid value: ["Egress","Egress","Egress"]: may'),
    "selector": (
        policy(podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        "spec.podSelector.matchExpressions[0].values: Required value",
    ),
}


@pytest.mark.parametrize(("obj", "expect"), POLICIES.values(), ids=POLICIES.keys())
def test_network_policies(obj, expect):
    check(kinds.NETWORK_POLICY, obj, expect)


def cidrs(*listed):
    return builders.of_kind(kinds.SERVICE_CIDR, spec={"cidrs": list(listed)})


CIDRS = {
    "right": (cidrs("10.0.0.0/24", "fd00::/112"), None, None),
    "none": (cidrs(), None, "spec.cidrs: Required value: at least one CIDR required"),
    "one family twice": (cidrs("10.0.0.0/24", "10.1.0.0/24"), None, "spec.cidrs: Invalid value: "),
    "host bits": (
        cidrs("10.0.0.1/24"),
        None,
        'spec.cidrs[0]: Invalid value: "10.0.0.1/24": must be in canonical form ("10.0.0.0/24")',
    ),
    "changed": (
        cidrs("10.1.0.0/24"),
        cidrs("10.0.0.0/24"),
        'spec.cidrs[0]: Invalid value: "10.1.0.0/24": field is immutable',
    ),
    "second family": (cidrs("10.0.0.0/24", "fd00::/112"), cidrs("10.0.0.0/24"), None),
    "family taken away": (cidrs("10.0.0.0/24"), cidrs("10.0.0.0/24", "fd00::/112"), "spec.cidrs: Invalid value"),
}


@pytest.mark.parametrize(("obj", "old", "expect"), CIDRS.values(), ids=CIDRS.keys())
def test_service_cidrs(obj, old, expect):
    check(kinds.SERVICE_CIDR, obj, expect, old)


def address(name="10.0.0.1", **parent):
    parent = {"resource": "services", "namespace": "a", "name": "b", **parent}
    return builders.of_kind(kinds.IP_ADDRESS, name, spec={"parentRef": parent})


ADDRESSES = {
    "right": (address(), None, None),
    "of six": (address("fe80::42:1dff:fe84:f9e2"), None, None),
    "long form": (
        address("fd00:0::1"),
        None,
        'metadata.name: Invalid value: "fd00:0::1": must be in canonical form ("fd00::1")',
    ),
    "no resource": (address(resource=""), None, "spec.parentRef.resource: Required value"),
    "no parent": (builders.of_kind(kinds.IP_ADDRESS, "10.0.0.1", spec={}), None, "spec.parentRef: Required value"),
    "other parent": (address(), address(name="10.0.0.1", namespace="c"), "spec.parentRef: Invalid value"),
}


@pytest.mark.parametrize(("obj", "old", "expect"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_ip_addresses(obj, old, expect):
    check(kinds.IP_ADDRESS, obj, expect, old)
