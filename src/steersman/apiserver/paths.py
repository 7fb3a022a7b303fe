"""Which resource a path names: method and path in, `Target` out, by walking a dict and never by patterns.

Keeps true: the same verb, group, namespace, resource, subresource and name as upstream's RequestInfo, because
authorization rules are written in these words.
"""

from typing import NamedTuple

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))
# Verbs of `GET …/proxy`-like requests are those of the method, whatever the rest of the path is.
WITH_REST = frozenset(("proxy",))


class Target(NamedTuple):
    """What a request is about. `verb` of a non-resource request is the method in lower case.

    `name` is empty for collections, `namespace` for cluster-scoped resources; `rest` is what follows a
    subresource: the path of a proxy, and of what extension servers may have.
    """

    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    rest: str = ""

    @property
    def full_resource(self) -> str:
        """`pods/log`, or `pods`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def parse(method: str, path: str) -> Target:
    """Collections come out as `list` or `deletecollection`; whether a list is a `watch` the query says."""
    parts = path.split("/")
    if parts[0] == "" and len(parts) > 3:
        if parts[1] == "api":
            return _resource(method, path, "", parts[2], parts[3:])
        if parts[1] == "apis" and len(parts) > 4:
            return _resource(method, path, parts[2], parts[3], parts[4:])
    return Target(path, method.lower())


def _resource(method: str, path: str, group: str, version: str, parts: list[str]) -> Target:
    verb = _VERBS.get(method) or method.lower()  # of other methods no kind has a verb
    if parts[-1] == "" and len(parts) > 1 and not _has_rest(parts):
        parts = parts[:-1]  # a slash at the end names the same thing
    if parts[0] == "watch" and len(parts) > 1:  # the deprecated /api/v1/watch/… form
        verb, parts = "watch", parts[1:]
    if parts[0] == "" or "" in parts[:3]:
        return Target(path, method.lower())
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and not (len(parts) == 3 and parts[2] in _NAMESPACE_SUBRESOURCES):
            parts = parts[2:]
    resource = parts[0]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    rest = ""
    if len(parts) > 3:
        rest = "/".join(parts[3:])
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return Target(path, verb, True, group, version, namespace, resource, subresource, name, rest)


def _has_rest(parts: list[str]) -> bool:
    return any(word in parts[2:] for word in WITH_REST)
