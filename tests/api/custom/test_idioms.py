"""Rules in the forms that widespread definitions write them: each is admitted, takes what is right, and refuses what is wrong."""
# ruff: noqa: E501 — rules are as long as they are

from typing import Any

import pytest

from steersman.api.custom import schema_rules, types


def text(size: int = 253, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": size, **more}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def many(items: Any, at_most: int = 16, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": at_most, **more}


NUMBER = {"type": "integer", "format": "int32"}
TLS = thing(mode=text(32), certificateRefs=many(thing(name=text()), 64))
LISTENERS = many(
    {**thing(name=text(), hostname=text(), port=NUMBER, protocol=text(255), tls=TLS), "required": ["name", "port", "protocol"]},
    64, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
)  # fmt: skip
HTTPS = {
    "name": "a",
    "port": 443,
    "protocol": "HTTPS",
    "tls": {"mode": "Terminate", "certificateRefs": [{"name": "c"}]},
}
HTTP = {"name": "b", "port": 80, "protocol": "HTTP"}
PATH = thing(type=text(16), value=text(1024))
REFS = many(thing(group=text(), kind=text(63), name=text(), namespace=text(63), sectionName=text(), port=NUMBER), 32)
TIMES = thing(request=text(16), backendRequest=text(16))
UNION = thing(type=text(16), tcp=thing(port=NUMBER), http=thing(path=text()))
POOL = thing(
    cohort=text(),
    groups=many(
        thing(flavors=many(thing(resources=many(thing(name=text(), limit={"x-kubernetes-int-or-string": True})))))
    ),
)
REQUIREMENTS = many(thing(key=text(316), operator=text(16), values=many(text(63), 50), minValues=NUMBER), 100)
LABELS = {"type": "object", "additionalProperties": text(63), "maxProperties": 100}
QUANTITIES = {
    "type": "object",
    "additionalProperties": {"x-kubernetes-int-or-string": True, "pattern": r"^\d+(Mi|Gi|m)?$"},
}

# rule, the schema it stands at, what it takes, what it refuses
RULES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)", LISTENERS, [HTTPS, HTTP], [{**HTTP, "tls": {}}]),
    ("self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)", LISTENERS, [HTTPS], [{**HTTPS, "tls": {"mode": "Passthrough"}}]),
    ("self.all(l1, self.exists_one(l2, l1.name == l2.name))", LISTENERS, [HTTPS, HTTP], None),
    ("self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && (has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))))", LISTENERS, [HTTPS, HTTP], [HTTP, {**HTTP, "name": "c"}]),
    ("self.mode == 'Terminate' ? size(self.certificateRefs) > 0 || size(self.mode) > 99 : true", TLS, HTTPS["tls"], {"mode": "Terminate", "certificateRefs": []}),
    ("(self.type in ['Exact', 'PathPrefix']) ? self.value.startsWith('/') : true", PATH, {"type": "Exact", "value": "/a"}, {"type": "Exact", "value": "a"}),
    ("(self.type in ['Exact','PathPrefix']) ? !self.value.contains('/../') && !self.value.endsWith('/..') : true", PATH, {"type": "Exact", "value": "/a"}, {"type": "Exact", "value": "/../a"}),
    ("(self.type in ['Exact','PathPrefix']) ? self.value.matches(r\"\"\"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$\"\"\") : true", PATH, {"type": "Exact", "value": "/a%20b"}, {"type": "Exact", "value": "/a b"}),
    ("self.all(p1, self.exists_one(p2, p1.group == p2.group && p1.kind == p2.kind && p1.name == p2.name && (((!has(p1.__namespace__) || p1.__namespace__ == '') && (!has(p2.__namespace__) || p2.__namespace__ == '')) || (has(p1.__namespace__) && has(p2.__namespace__) && p1.__namespace__ == p2.__namespace__)) && (((!has(p1.sectionName) || p1.sectionName == '') && (!has(p2.sectionName) || p2.sectionName == '')) || (has(p1.sectionName) && has(p2.sectionName) && p1.sectionName == p2.sectionName))))", REFS, [{"group": "g", "kind": "k", "name": "a"}, {"group": "g", "kind": "k", "name": "a", "sectionName": "s"}], [{"group": "g", "kind": "k", "name": "a"}, {"group": "g", "kind": "k", "name": "a", "sectionName": ""}]),
    ("!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && duration(self.backendRequest) > duration(self.request))", TIMES, {"request": "10s", "backendRequest": "500ms"}, {"request": "1s", "backendRequest": "1m"}),
    ("self == oldSelf", text(), "a", ("a", "b")),
    ("oldSelf.all(x, x in self)", many(text(63)), (["a"], ["a", "b"]), (["a"], ["b"])),
    ("oldSelf == '' || self == oldSelf", text(), ("", "b"), ("a", "b")),
    ("!has(oldSelf.cohort) || has(self.cohort)", POOL, ({"cohort": "a"}, {"cohort": "b"}), ({"cohort": "a"}, {})),
    ("size(self) >= size(oldSelf) && self.startsWith(oldSelf)", text(), ("a", "ab"), ("ab", "a")),
    ("has(self.type) && self.type == 'tcp' ?  has(self.tcp) : !has(self.tcp)", UNION, {"type": "tcp", "tcp": {}}, {"type": "http", "tcp": {}}),
    ("[has(self.tcp),has(self.http)].filter(x,x==true).size() == 1", UNION, {"tcp": {}}, {"tcp": {}, "http": {}}),
    ("has(self.tcp) != has(self.http)", UNION, {"tcp": {}}, {}),
    ("(has(self.tcp) ? 1 : 0) + (has(self.http) ? 1 : 0) <= 1", UNION, {}, {"tcp": {}, "http": {}}),
    ("!has(self.cohort) && has(self.groups) ? self.groups.all(rg, rg.flavors.all(f, f.resources.all(r, !has(r.limit)))) : true", POOL, {"groups": [{"flavors": [{"resources": [{"name": "cpu"}]}]}]}, {"groups": [{"flavors": [{"resources": [{"name": "cpu", "limit": 1}]}]}]}),
    ("self.all(x, x.operator == 'In' ? x.values.size() != 0 : true)", REQUIREMENTS, [{"key": "a", "operator": "In", "values": ["x"]}], [{"key": "a", "operator": "In", "values": []}]),
    ("self.all(x, (x.operator == 'Gt' || x.operator == 'Lt') ? (x.values.size() == 1 && int(x.values[0]) >= 0) : true)", REQUIREMENTS, [{"key": "a", "operator": "Gt", "values": ["1"]}], [{"key": "a", "operator": "Gt", "values": ["1", "2"]}]),
    ("self.all(x, (x.operator == 'In' && has(x.minValues)) ? x.values.size() >= x.minValues : true)", REQUIREMENTS, [{"key": "a", "operator": "In", "values": ["x"], "minValues": 1}], [{"key": "a", "operator": "In", "values": ["x"], "minValues": 2}]),
    ("self.all(x, x in ['kubernetes.io/arch', 'kubernetes.io/os'] || !x.find('^([^/]+)').endsWith('kubernetes.io'))", LABELS, {"kubernetes.io/arch": "x", "example.com/a": "y"}, {"node.kubernetes.io/a": "y"}),
    ("self.all(k, k != '' && self[k].size() > 0)", LABELS, {"a": "b"}, {"a": ""}),
    ("!has(self.cpu) || quantity(string(self.cpu)).isGreaterThan(quantity('0'))", thing(cpu={"x-kubernetes-int-or-string": True, "maxLength": 20}), {"cpu": "100m"}, {"cpu": 0}),
    ("type(self.cpu) == int ? self.cpu >= 0 : isQuantity(self.cpu) && quantity(self.cpu).compareTo(quantity('1Gi')) <= 0", thing(cpu={"x-kubernetes-int-or-string": True, "maxLength": 20}), {"cpu": "1Mi"}, {"cpu": "2Gi"}),
    ("isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self).masked() == cidr(self)", text(43), "10.0.0.0/8", "10.0.0.1/8"),
    ("self.all(c, isCIDR(c)) && (self.size() != 2 || cidr(self[0]).ip().family() != cidr(self[1]).ip().family())", many(text(43), 2), ["10.0.0.0/8", "fd00::/8"], ["10.0.0.0/8", "11.0.0.0/8"]),
    ("isURL(self) && url(self).getScheme() == 'https' && url(self).getQuery().size() == 0", text(512), "https://a/b", "http://a/b"),
    ("!format.dns1123Label().validate(self).hasValue()", text(63), "a-b", "A"),
    ("self.split('/').size() == 2 && self.split('/')[0].matches('^[a-z0-9.-]+$')", text(63), "example.com/a", "a/b/c"),
    ("isSemver(self) && semver(self).isLessThan(semver('2.0.0'))", text(32), "1.2.3", "2.1.0"),
    ("self.?tcp.port.orValue(80) >= 80", UNION, {}, {"tcp": {"port": 1}}),
    ("self.lowerAscii() == self && self.trim() == self", text(63), "a", "A"),
    ("sets.contains(['a', 'b', 'c'], self) && self.isSorted()", many(text(1)), ["a", "c"], ["c", "a"]),
    ("self.exists(e, e.name == 'a') && self.filter(e, e.name == 'a').map(e, e.port).sum() < 100", LISTENERS, [{**HTTP, "name": "a"}], [HTTP]),
    ("cel.bind(n, self.size(), n > 0 && n < 3)", many(text(9)), ["a"], []),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "at", "right", "wrong"), RULES, ids=[row[0][:60] for row in RULES])
def test_an_idiom(rule: str, at: dict[str, Any], right: Any, wrong: Any):
    schema = thing(spec=thing(it={**at, "x-kubernetes-validations": [{"rule": rule, "message": "no"}]}))
    assert schema_rules.validate(schema, "s") == []
    assert judged(schema, right) == []
    if wrong is not None:
        assert [error.partition("Invalid value: ")[2].partition(": ")[2] for error in judged(schema, wrong)] == ["no"]


def judged(schema: dict[str, Any], value: Any) -> list[str]:
    """A pair is the old value and the new one."""
    old, new = value if isinstance(value, tuple) else (None, value)
    before = None if old is None else {"spec": {"it": old}}
    return [str(error) for error in types.Type("x", schema).validate({"spec": {"it": new}}, before)]
