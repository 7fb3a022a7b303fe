"""Names and what they mean, read back from the wire by another library."""

import pytest

from steersman.dns import wire, zone
from tests.dns.builders import ListedRecords, endpoint, endpoint_slice, port, service, short

ZONE = zone.Zone(
    ListedRecords(
        [
            service("web", "10.96.0.7", port(80, "http"), port(53, "dns", "UDP")),
            service("db", "None"),
            service("empty", "None"),
            service("alias", "", type="ExternalName", externalName="Example.COM."),
            service("inner", "", type="ExternalName", externalName="web.default.svc.cluster.local"),
            service("web", "10.96.0.8", namespace="prod"),
        ],
        [
            endpoint_slice(
                endpoint("10.244.1.5", "db-0"),
                endpoint("10.244.2.6", "", ready=True),
                endpoint("10.244.2.7", "db-2", ready=False),
            )
        ],
    ),
    reverse_networks=("10.96.0.0/16", "10.244.0.0/16"),
)

SVC = "default.svc.cluster.local"

CASES = {
    "a Service": (f"web.{SVC}", "A", ["A 10.96.0.7"]),
    "in capitals": ("WEB.Default.SVC.cluster.local", "A", ["A 10.96.0.7"]),
    "of another namespace": ("web.prod.svc.cluster.local", "A", ["A 10.96.0.8"]),
    "a Service has no IPv6 address: no data": (f"web.{SVC}", "AAAA", []),
    "no such Service": (f"nope.{SVC}", "A", "NXDOMAIN"),
    "no such Service, IPv6": (f"nope.{SVC}", "AAAA", "NXDOMAIN"),
    "nothing below a Service": (f"x.web.{SVC}", "A", "NXDOMAIN"),
    "a search suffix too many": (f"web.{SVC}.{SVC}", "A", "NXDOMAIN"),
    "a port": (f"_http._tcp.web.{SVC}", "SRV", [f"SRV 0 100 80 web.{SVC}."]),
    "a port by UDP": (f"_dns._udp.web.{SVC}", "SRV", [f"SRV 0 100 53 web.{SVC}."]),
    "a port by the wrong protocol": (f"_dns._tcp.web.{SVC}", "SRV", "NXDOMAIN"),
    "the name above a port": (f"_tcp.web.{SVC}", "SRV", []),
    "all ports": (f"web.{SVC}", "SRV", [f"SRV 0 50 53 web.{SVC}.", f"SRV 0 50 80 web.{SVC}."]),
    "a port's address": (f"_http._tcp.web.{SVC}", "A", []),
    "headless: ready endpoints": (f"db.{SVC}", "A", ["A 10.244.1.5", "A 10.244.2.6"]),
    "headless, IPv6": (f"db.{SVC}", "AAAA", []),
    "headless without endpoints": (f"empty.{SVC}", "A", "NXDOMAIN"),
    "an endpoint by hostname": (f"db-0.db.{SVC}", "A", ["A 10.244.1.5"]),
    "an endpoint by address": (f"10-244-2-6.db.{SVC}", "A", ["A 10.244.2.6"]),
    "an endpoint that is not ready": (f"db-2.db.{SVC}", "A", "NXDOMAIN"),
    "a headless port": (
        f"_http._tcp.db.{SVC}",
        "SRV",
        [f"SRV 0 50 8080 10-244-2-6.db.{SVC}.", f"SRV 0 50 8080 db-0.db.{SVC}."],
    ),
    "another name": (f"alias.{SVC}", "A", ["CNAME example.com."]),
    "another name, asked for": (f"alias.{SVC}", "CNAME", ["CNAME example.com."]),
    "a pod": ("10-244-1-5.default.pod.cluster.local", "A", ["A 10.244.1.5"]),
    "a pod has no IPv6 address": ("10-244-1-5.default.pod.cluster.local", "AAAA", []),
    "no pod's name": ("web-1.default.pod.cluster.local", "A", "NXDOMAIN"),
    "a namespace": (SVC, "A", []),
    "no such namespace": ("nope.svc.cluster.local", "A", "NXDOMAIN"),
    "above the namespaces": ("svc.cluster.local", "A", []),
    "the domain": ("cluster.local", "A", []),
    "its name server": ("cluster.local", "NS", ["NS ns.dns.cluster.local."]),
    "the specification's version": ("dns-version.cluster.local", "TXT", ['TXT "1.1.0"']),
    "nothing of ours": ("x.cluster.local", "A", "NXDOMAIN"),
    "everything": (f"web.{SVC}", "ANY", ["A 10.96.0.7", f"SRV 0 50 53 web.{SVC}.", f"SRV 0 50 80 web.{SVC}."]),
    "the outside": ("example.com", "A", "outside"),
    "nearly the domain": ("xcluster.local", "A", "outside"),
    "an address backwards": ("7.0.96.10.in-addr.arpa", "PTR", [f"PTR web.{SVC}."]),
    "an endpoint backwards": ("5.1.244.10.in-addr.arpa", "PTR", [f"PTR db-0.db.{SVC}."]),
    "an endpoint without a name": ("6.2.244.10.in-addr.arpa", "PTR", "NXDOMAIN"),
    "a free address of ours": ("99.0.96.10.in-addr.arpa", "PTR", "NXDOMAIN"),
    "someone else's address": ("8.8.8.8.in-addr.arpa", "PTR", "outside"),
    "no address": ("x.in-addr.arpa", "PTR", "outside"),
}


@pytest.mark.parametrize(("name", "kind", "expect"), CASES.values(), ids=CASES.keys())
def test_names(name, kind, expect):
    assert short(ZONE, name, kind) == expect


def test_a_no_says_how_long_it_holds():
    for name, kind in ((f"nope.{SVC}", wire.A), (f"web.{SVC}", wire.AAAA)):
        answer = ZONE.answer(name, kind)
        assert answer is not None
        (soa,) = answer.authority
        assert (soa.name, soa.type, soa.ttl) == ("cluster.local", wire.SOA, zone.TTL_SECONDS)


def test_targets_of_a_port_come_with_their_addresses():
    answer = ZONE.answer(f"_http._tcp.db.{SVC}", wire.SRV)
    assert answer is not None
    assert {record.name for record in answer.additional} == {f"db-0.db.{SVC}", f"10-244-2-6.db.{SVC}"}
