"""`create ingress`: rules `host/path=service:port[,tls[=secret]]`."""

import re
from collections.abc import Iterable

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, typed
from steersman.kubectl.flags import STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_RULE = re.compile(r"[\w*\-.]*/.*=[\w\-]+:[\w\-]+(,tls=?([\w\-]+)?)?", re.ASCII)

FLAGS = (
    Flag("class", help="The class of the ingress."),
    Flag("rule", STRINGS, help="host/path=service:port[,tls=secret]; a path that ends in * stands for all below it."),
    Flag("default-backend", help="Where everything else goes: SERVICE:PORT."),
    Flag("annotation", STRINGS, help="An annotation of the ingress, KEY=VALUE."),
    *sending.FLAGS,
)
USAGE = "NAME --rule=host/path=service:port[,tls[=secret]] "


async def run(call: Call) -> None:
    name = sending.name_of(call)
    check(call.flags)
    obj = generate(name, sending.namespace_of(call), call.flags)
    await sending.send(call, obj, "ingresses.networking.k8s.io", failed="failed to create ingress: ")


def check(flags: Values) -> None:
    """Raises CommandError."""
    if not flags["default-backend"] and not flags["rule"]:
        raise CommandError(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all "
            "traffic) or a list of rules (which catch specific paths)"
        )
    for rule in flags["rule"]:
        if not _RULE.match(rule):
            raise CommandError(
                f"rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            )
    for annotation in flags["annotation"]:
        if "=" not in annotation:
            raise CommandError(f"annotation {annotation} is invalid and should be in format key=[value]")
    if flags["default-backend"] and flags["default-backend"].count(":") != 1:
        raise CommandError("default-backend should be in format servicename:serviceport")


def generate(name: str, namespace: str, flags: Values) -> Object:
    spec: Object = {}
    if flags["class"]:
        spec["ingressClassName"] = flags["class"]
    if flags["default-backend"]:
        spec["defaultBackend"] = _backend(flags["default-backend"])
    tls = _tls(flags["rule"])
    if tls:
        spec["tls"] = tls
    rules = _rules(flags["rule"])
    if rules:
        spec["rules"] = rules
    annotations = dict(text.split("=", 1) for text in flags["annotation"])
    return {
        "kind": "Ingress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": typed.metadata(name, namespace, annotations=annotations),
        "spec": spec,
        "status": {"loadBalancer": {}},
    }


def _tls(rules: Iterable[str]) -> list[Object]:
    """The hosts of every secret; a host is taken the first time only."""
    found: list[Object] = []
    seen: set[str] = set()
    for rule in rules:
        words = rule.split(",")
        host = rule.partition("/")[0]
        if len(words) != 2 or host in seen:
            continue
        seen.add(host)
        secret = words[1].split("=")[1] if "=" in words[1] else ""
        same = next((one for one in found if one.get("secretName", "") == secret), None)
        if same is not None:
            same.setdefault("hosts", []).append(host)
            continue
        entry: Object = {"hosts": [host]} if host else {}
        if secret:
            entry["secretName"] = secret
        if entry:
            found.append(entry)
    return found


def _rules(rules: Iterable[str]) -> list[Object]:
    paths: dict[str, list[Object]] = {}
    for rule in rules:
        host, _, rest = rule.partition(",")[0].partition("/")
        paths.setdefault(host, []).append(_path(rest))
    return [({"host": host} if host else {}) | {"http": {"paths": found}} for host, found in paths.items()]


def _path(text: str) -> Object:
    parts = text.split("=")
    path = f"/{parts[0]}"
    below = path.endswith("*")
    return {
        "path": path.removesuffix("*") if below else path,
        "pathType": "Prefix" if below else "Exact",
        "backend": _backend(parts[1]),
    }


def _backend(text: str) -> Object:
    service, port = text.split(":")[:2]
    found = typed.int_or_text(port)
    return {"service": {"name": service, "port": {"number" if isinstance(found, int) else "name": found}}}
