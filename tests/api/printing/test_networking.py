import datetime

import pytest

from steersman.api import kinds
from steersman.api.printing import tables
from tests.api import builders

NOW = datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.UTC)


def rules(*hosts):
    return [{"host": host} for host in hosts]


ROWS = [
    pytest.param(
        kinds.INGRESS, {"rules": rules("a.b")}, {}, ["x", "<none>", "a.b", "", "80", "<unknown>"], id="ingress"
    ),
    pytest.param(
        kinds.INGRESS,
        {"rules": rules("a", "b", "c", "d", "e"), "tls": [{}], "ingressClassName": "k"},
        {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "h"}]}},
        ["x", "k", "a,b,c + 2 more...", "1.2.3.4,h", "80, 443", "<unknown>"],
        id="ingress with all",
    ),
    pytest.param(kinds.INGRESS, {}, {}, ["x", "<none>", "*", "", "80", "<unknown>"], id="ingress without rules"),
    pytest.param(
        kinds.INGRESS_CLASS,
        {"controller": "a.b/c", "parameters": {"apiGroup": "g", "kind": "P", "name": "p"}},
        {},
        ["x", "a.b/c", "P.g/p", "<unknown>"],
        id="class",
    ),
    pytest.param(
        kinds.NETWORK_POLICY, {"podSelector": {"matchLabels": {"a": "b"}}}, {}, ["x", "a=b", "<unknown>"], id="policy"
    ),
    pytest.param(
        kinds.SERVICE_CIDR,
        {"cidrs": ["10.0.0.0/8", "fd::/64"]},
        {},
        ["x", "10.0.0.0/8,fd::/64", "<unknown>"],
        id="cidr",
    ),
    pytest.param(
        kinds.IP_ADDRESS,
        {"parentRef": {"resource": "services", "namespace": "default", "name": "kubernetes"}},
        {},
        ["x", "services/default/kubernetes", "<unknown>"],
        id="address",
    ),
]


@pytest.mark.parametrize(("kind", "spec", "status", "cells"), ROWS)
def test_rows(kind, spec, status, cells):
    assert tables.row(kind, builders.of_kind(kind, spec=spec, status=status), NOW)["cells"] == cells
