"""What is written down of one request: it grows while the request is served, and becomes an Event at each of its stages.

A trail travels with the request's own context, so whoever has something to tell of it (admission, authorization) finds it without
being handed it; where nothing is written down there is none.
"""

import contextvars
import datetime
from collections.abc import Mapping

from steersman.apiserver import paths, users
from steersman.apiserver.audit.policy import API_VERSION, Level, Verdict
from steersman.meta import times
from steersman.meta.objects import Object
from steersman.serving import messages

USER_AGENT_MAX = 1024

_current: contextvars.ContextVar["Trail | None"] = contextvars.ContextVar("audit trail", default=None)


def current() -> "Trail | None":
    return _current.get()


def annotate(key: str, value: str) -> None:
    """Add to what is written down of the request that is being served, if anything is."""
    trail = _current.get()
    if trail is not None:
        trail.annotate(key, value)


class Trail:
    def __init__(
        self,
        verdict: Verdict,
        audit_id: str,
        request: messages.Request,
        target: paths.Target,
        user: users.User | None,
        received: datetime.datetime,
    ) -> None:
        self.verdict = verdict
        self.target = target
        self.status: Object | None = None
        self.impersonated: users.User | None = None
        self.request_object: Object | None = None
        self.response_object: Object | None = None
        self.object_ref = _reference(target)
        self._annotations: dict[str, str] = {}
        self._event: Object = {
            "kind": "Event",
            "apiVersion": API_VERSION,
            "level": verdict.level.text,
            "auditID": audit_id,
            "requestURI": request.path + (f"?{request.query}" if request.query else ""),
            "verb": target.verb,
            "user": _user(user) if user is not None else {},
            "sourceIPs": source_addresses(request),
        }
        agent = request.headers.get("user-agent", "")
        if agent:
            cut = f"{agent[:USER_AGENT_MAX]}...TRUNCATED" if len(agent) > USER_AGENT_MAX else agent
            self._event["userAgent"] = cut
        self._received = times.format_micros(received)
        self._token: contextvars.Token[Trail | None] | None = None

    def enter(self) -> None:
        """From now on it is the one of this context, until `leave`."""
        self._token = _current.set(self)

    def leave(self) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None

    def annotate(self, key: str, value: str) -> None:
        """Who says something first is right, as upstream has it."""
        self._annotations.setdefault(key, value)

    def has(self, level: Level) -> bool:
        return self.verdict.level >= level

    def event(self, stage: str, now: datetime.datetime) -> Object:
        """What is known at this stage, in the order of upstream's fields; shares its parts with this trail."""
        begin = self._event
        found: Object = {name: begin[name] for name in ("kind", "apiVersion", "level", "auditID")}
        found["stage"] = stage
        found |= {name: begin[name] for name in ("requestURI", "verb", "user")}
        if self.impersonated is not None:
            found["impersonatedUser"] = _user(self.impersonated)
        found |= {name: begin[name] for name in ("sourceIPs", "userAgent") if name in begin}
        if self.object_ref:
            found["objectRef"] = dict(self.object_ref)
        if self.status is not None:
            found["responseStatus"] = self.status
        if self.request_object is not None:
            found["requestObject"] = self.request_object
        if self.response_object is not None:
            found["responseObject"] = self.response_object
        found["requestReceivedTimestamp"] = self._received
        found["stageTimestamp"] = times.format_micros(now)
        if self._annotations:
            found["annotations"] = dict(sorted(self._annotations.items()))
        return found

    def name_object(self, obj: Object) -> None:
        """What a body says about itself, where the path did not."""
        meta = obj.get("metadata")
        if not self.target.is_resource or not isinstance(meta, Mapping):
            return
        for field in ("namespace", "name", "uid", "resourceVersion"):
            if meta.get(field) and not self.object_ref.get(field):
                self.object_ref[field] = str(meta[field])
        self.object_ref = {field: self.object_ref[field] for field in _REFERENCE if field in self.object_ref}


_REFERENCE = ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource")


def _reference(target: paths.Target) -> dict[str, str]:
    if not target.is_resource:
        return {}
    named = (target.resource, target.namespace, target.name, "", target.group, target.version, "", target.subresource)
    return {field: value for field, value in zip(_REFERENCE, named, strict=True) if value}


def _user(user: users.User) -> Object:
    found: Object = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {name: list(values) for name, values in user.extra.items()}
    return found


def source_addresses(request: messages.Request) -> list[str]:
    """Whom the request says it came by, and who is at the other end, each once."""
    said = [one.strip() for one in request.headers.get("x-forwarded-for", "").split(",")]
    found = [*said, request.headers.get("x-real-ip", ""), request.peer.address]
    return list(dict.fromkeys(filter(None, found)))
