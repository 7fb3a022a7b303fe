"""The downward API's fields of a pod: what `fieldRef` and `resourceFieldRef` mean, in environments and in volumes.

Pure. Source: the Kubernetes documentation "Downward API".
"""

import re
from collections.abc import Mapping, Sequence

from steersman.meta import objects, quantities
from steersman.meta.objects import Object

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]").fullmatch


class Unknown(ValueError):
    """No such field, or one that cannot be used here."""


def value(pod: Object, path: str, addresses: Sequence[str], host_addresses: Sequence[str]) -> str:
    """`addresses` are the pod's, known before its status is."""
    subscript = _SUBSCRIPT(path)
    if subscript:
        which, key = subscript.groups()
        return str((pod["metadata"].get(which) or {}).get(key, ""))
    simple = {
        "metadata.name": objects.name(pod),
        "metadata.namespace": objects.namespace(pod),
        "metadata.uid": objects.uid(pod),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.hostIP": host_addresses[0] if host_addresses else "",
        "status.hostIPs": ",".join(host_addresses),
        "status.podIP": addresses[0] if addresses else "",
        "status.podIPs": ",".join(addresses),
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        return _map_text(pod["metadata"].get(path.partition(".")[2]) or {})
    raise Unknown(f"unsupported fieldPath: {path}")


def _map_text(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={_quoted(pairs[key])}" for key in sorted(pairs))


def _quoted(text: str) -> str:
    """Go's %q for what labels and annotations usually hold."""
    named = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(named.get(letter, letter) for letter in text) + '"'


def resource_value(container: Object, resource: str, divisor: str, allocatable: Mapping[str, str]) -> str:
    """Rounded up to whole divisors; a limit that is not set is what the node can give."""
    which, _, name = resource.partition(".")
    if which not in ("limits", "requests"):
        raise Unknown(f"unsupported container resource : {resource}")
    found = (container.get("resources") or {}).get(which) or {}
    amount = found.get(name)
    if amount is None and which == "limits":
        amount = allocatable.get(name)
    by = quantities.parse(divisor or "1").nanos or quantities.NANOS
    return str(-(-quantities.parse(str(amount or "0")).nanos // by))
