"""Which policies are about a write: policy and binding match, and which parameters they bring.

Keeps true: without policies a write costs nothing; a policy is compiled once per revision; a changed policy counts for the
next write of whoever changed it.
Reads: policies and bindings of one kind, Namespaces, parameters.  Writes: nothing.
Source: apiserver's admission/plugin/policy/generic and matching.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from steersman.api.kind import Kind
from steersman.api.policies import environments
from steersman.apiserver import decoded, followed
from steersman.apiserver.admission import expressions, matching, rules
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.admission.webhooks import Body, Versions
from steersman.apiserver.authorization import Authorizer
from steersman.meta import errors, selectors
from steersman.meta.objects import Object
from steersman.store import contract

_QUESTIONS = frozenset(("authentication.k8s.io", "authorization.k8s.io"))

KindOf = Callable[[str, str], Kind | None]
"""The row of an apiVersion and kind."""


class Compiled(Protocol):
    """A policy ready to be evaluated."""

    fails_open: bool


class Misconfigured(Exception):
    """A policy or binding that cannot be followed; what comes of that says the policy's failurePolicy."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What both plugins need."""

    store: contract.Store
    objects: decoded.DecodedObjects
    authorizer: Authorizer
    equivalents: matching.Equivalents
    kind_of: KindOf
    body: Body


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """A policy with its bindings."""

    policy: Object
    compiled: Any
    criteria: matching.Criteria
    bindings: tuple[tuple[Object, matching.Criteria | None], ...]

    @property
    def name(self) -> str:
        return str(self.policy["metadata"]["name"])


@dataclasses.dataclass(frozen=True, slots=True)
class Invocation:
    """One policy for one binding and one parameter; `kind` is the version it wants to see."""

    bound: Bound
    binding: Object
    kind: Kind
    param: Object | None

    @property
    def identity(self) -> tuple[str, str, str, str]:
        meta = (self.param or {}).get("metadata") or {}
        binding = str(self.binding["metadata"]["name"])
        return self.bound.name, binding, meta.get("namespace", ""), meta.get("name", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A configuration that cannot be followed; `binding` None: already the policy."""

    bound: Bound
    binding: Object | None
    why: str


class Policies(Plugin):
    """What the two kinds have in common."""

    def __init__(self, parts: Parts, policy: Kind, binding: Kind, compile_policy: Callable[[Object], Compiled]) -> None:
        self._parts = parts
        self._compile = compile_policy
        self._matcher = matching.Matcher(parts.objects)
        self._compiled: dict[str, tuple[str, Compiled]] = {}
        self._bound: list[Bound] = []
        self.policies = followed.Followed(parts.store, policy, self._changed)
        self.bindings = followed.Followed(parts.store, binding, self._changed)

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        """Not about policies themselves, nor about questions, whose answers are no writes."""
        return not rules.is_exempt(kind) and kind.group not in _QUESTIONS

    def _changed(self) -> None:
        bindings: dict[str, list[tuple[Object, matching.Criteria | None]]] = {}
        for binding in self.bindings.objects:
            spec = binding["spec"]
            match = spec.get("matchResources")
            of_binding = matching.criteria(match) if match is not None else None
            bindings.setdefault(spec["policyName"], []).append((binding, of_binding))
        self._bound = [
            Bound(policy, self._of(policy), matching.criteria(policy["spec"]["matchConstraints"]), tuple(found))
            for policy in self.policies.objects
            if (found := bindings.get(policy["metadata"]["name"]))
        ]
        names = {policy["metadata"]["name"] for policy in self.policies.objects}
        self._compiled = {name: kept for name, kept in self._compiled.items() if name in names}

    def _of(self, policy: Object) -> Compiled:
        meta = policy["metadata"]
        identity = f"{meta.get('uid')}/{meta.get('generation')}"
        kept = self._compiled.get(meta["name"])
        if kept is None or kept[0] != identity:
            kept = self._compiled[meta["name"]] = identity, self._compile(policy)
        return kept[1]

    async def _invocations(self, review: Review) -> tuple[list[Invocation], list[Failure]]:
        found: list[Invocation] = []
        failures: list[Failure] = []
        for bound in self._bound:
            try:
                kind = await self._match(bound.criteria, review)
            except errors.StatusError as why:
                failures.append(Failure(bound, None, str(why)))
                continue
            if kind is None:
                continue
            for binding, of_binding in bound.bindings:
                try:
                    if of_binding is not None and await self._match(of_binding, review) is None:
                        continue
                    params = await self._params(bound.policy, binding, review)
                except (errors.StatusError, Misconfigured) as why:
                    failures.append(Failure(bound, binding, str(why)))
                    continue
                found += [Invocation(bound, binding, kind, param) for param in params]
        return found, failures

    async def _match(self, wanted: matching.Criteria, review: Review) -> Kind | None:
        """The version the policy wants to see; None where it is not about this."""
        call = review.call
        asked = rules.asked_of(call.kind, call.target.subresource, review.operation)
        others = self._parts.equivalents.others(call.kind)

        def rule(listed: Sequence[Object]) -> matching.Match | None:
            of_name = [one for one in listed if rules.has_name(one, review.name)]
            return matching.of_rules(of_name, wanted.exact, others, call.kind, asked)

        if wanted.excluded and rule(wanted.excluded) is not None:
            return None
        kind = call.kind
        if wanted.rules:
            match = rule(wanted.rules)
            if match is None:
                return None
            kind = match.kind
        return kind if await self._matcher.selects(wanted, review) else None

    async def _params(self, policy: Object, binding: Object, review: Review) -> Sequence[Object | None]:
        """Those of one binding; one None for a policy or binding without. Raises Misconfigured."""
        wanted, ref = policy["spec"].get("paramKind"), binding["spec"].get("paramRef")
        if wanted is None or ref is None:
            return [None]
        kind = self._parts.kind_of(wanted["apiVersion"], wanted["kind"])
        if kind is None:
            shown = f"&ParamKind{{APIVersion:{wanted['apiVersion']},Kind:{wanted['kind']},}}"
            raise Misconfigured(f"paramKind kind `{shown}` not known")
        namespace = ref.get("namespace") or ""
        if namespace and not kind.namespaced:
            raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        if kind.namespaced:
            namespace = namespace or review.namespace
            if not namespace:
                what = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                raise Misconfigured(what)
        found = [await self._as(kind, one) for one in await self._referred(kind, namespace, ref)]
        if not found and ref.get("parameterNotFoundAction") == "Deny":
            raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    async def _referred(self, kind: Kind, namespace: str, ref: Object) -> list[Object]:
        objects = self._parts.objects
        if ref.get("name"):
            one = await objects.get(kind, namespace, ref["name"])
            return [] if one is None else [one]
        selector = selectors.from_object(ref.get("selector"))
        return [
            one
            for one in await objects.list(kind, namespace)
            if selector.matches((one.get("metadata") or {}).get("labels") or {})
        ]

    async def _as(self, kind: Kind, obj: Object) -> Object:
        """A stored object in the version the policy names."""
        stored = self._parts.kind_of(obj.get("apiVersion", ""), obj.get("kind", ""))
        if stored is None or stored is kind:
            return obj
        return await self._parts.equivalents.convert(obj, stored, kind)


class Seen:
    """What expressions see of one review, made when the first of them asks."""

    def __init__(self, review: Review, parts: Parts, matcher: matching.Matcher) -> None:
        self._review = review
        self._parts = parts
        self._matcher = matcher
        self._namespace: Object | None = None
        self._has_namespace = False
        self.versions = Versions(review, parts.equivalents)

    async def inputs(self, kind: Kind, param: Object | None) -> dict[str, Any]:
        """Raises StatusError."""
        if not self._has_namespace:
            self._namespace = environments.namespace_value(await self._own_namespace())
            self._has_namespace = True
        obj, old = await self.versions.of(kind)
        return expressions.inputs(
            self._review, kind, obj, old, self._parts.authorizer, params=param, namespaceObject=self._namespace
        )

    async def _own_namespace(self) -> Object | None:
        """None also for a Namespace itself."""
        call = self._review.call
        if call.kind.plural == "namespaces" and not call.kind.group:
            return None
        return await self._matcher.namespace(self._review)


def refusal(review: Review, message: str, reason: str) -> errors.StatusError:
    """Upstream's: Forbidden in its words, and the policy's reason with its code."""
    kind = review.call.kind
    found = errors.forbidden(kind.plural, review.name, message, kind.group)
    status = found.status
    status["reason"] = reason
    status["code"] = _CODES.get(reason, 422)
    status["details"] = {**status["details"], "causes": [{"message": message}]}
    return found


_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


def closed(failures: Sequence[Failure]) -> Iterator[Failure]:
    """Those of policies whose failure is a refusal."""
    return (one for one in failures if not one.bound.compiled.fails_open)
