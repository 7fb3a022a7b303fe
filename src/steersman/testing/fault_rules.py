"""Which request meets which fault: rules in the words of Kubernetes' own authorization (verb, resource, namespace, user).

Pure but for what a rule counts: chance and time are passed in.
"""

import dataclasses
import fnmatch
import functools
import math
from collections.abc import Callable, Iterable

from steersman.apiserver import paths
from steersman.serving.messages import Request
from steersman.testing import references
from steersman.testing.faults import Fault

Words = str | Iterable[str]

WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A request as rules see it. `resource` carries the subresource (`pods/status`); `revision` is what a watch starts after."""

    verb: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    name: str = ""
    user: str = ""
    revision: int = 0
    continues: bool = False  # the next page of a list

    def __str__(self) -> str:
        where = "/".join(part for part in (self.resource, self.namespace, self.name) if part)
        return f"{self.user} {self.verb} {where}"


def call_of(request: Request, user: str) -> Call:
    target = paths.parse(request.method, request.path)
    verb, revision, continues = target.verb, 0, False
    if verb in ("list", "watch") and request.query:
        if request.parameter("watch") in ("1", "true"):
            verb = "watch"
        version = request.parameter("resourceVersion")
        revision = int(version) if version.isdecimal() else 0
        continues = bool(request.parameter("continue"))
    return Call(verb, target.full_resource, target.group, target.namespace, target.name, user, revision, continues)


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """Patterns (`*` and `?` as in a shell) of which one of each must fit; () fits all."""

    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def fits(self, call: Call) -> bool:
        return (
            _fits(self.verbs, call.verb)
            and _fits(self.resources, call.resource)
            and _fits(self.namespaces, call.namespace)
            and _fits(self.names, call.name)
            and _fits(self.users, call.user)
        )


def match(verb: Words = (), resource: Words = (), namespace: Words = (), name: Words = (), user: Words = ()) -> Match:
    """Each may be one word or several. A resource may be named as people name it: `deploy`, `pods/status`."""
    resources = tuple(_plural(one) for one in _words(resource))
    return Match(_words(verb), resources, _words(namespace), _words(name), _words(user))


@dataclasses.dataclass(slots=True, eq=False)
class Rule:
    """`make` gives the fault for a request that the rule strikes; `struck` counts them.

    It strikes at most `count` times, each fitting request with `probability`, and no more from `until` on (the clock's
    monotonic seconds).
    """

    match: Match
    make: Callable[[Call], Fault]
    count: float = math.inf
    probability: float = 1.0
    until: float = math.inf
    concerns: Callable[[Call], bool] = lambda call: True  # what the patterns cannot say
    struck: int = 0

    def strikes(self, call: Call, now: float, chance: Callable[[], float]) -> bool:
        if self.struck >= self.count or now >= self.until or not self.match.fits(call) or not self.concerns(call):
            return False
        if self.probability < 1.0 and chance() >= self.probability:
            return False
        self.struck += 1
        return True


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _fits(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(pattern == value or fnmatch.fnmatchcase(value, pattern) for pattern in patterns)


@functools.cache
def _plural(name: str) -> str:
    """Of a built-in kind; patterns and custom resources stay as they are."""
    main, slash, subresource = name.partition("/")
    try:
        return references.kind(main).plural + slash + subresource
    except references.UnknownKind:
        return name.lower()
