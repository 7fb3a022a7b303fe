"""MutatingAdmissionPolicies: one after the other, each sees what those before it made.

Source: apiserver's admission/plugin/policy/mutating/dispatcher.go and generic/policy_dispatcher.go.
"""

from collections.abc import Sequence
from typing import cast

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.managed_fields import compiling
from steersman.api.policies import evaluation, mutating
from steersman.apiserver.admission import policies, reinvocation, requests
from steersman.apiserver.admission.plugin import Review
from steersman.meta import errors
from steersman.meta.objects import Object


class MutatingPolicies(policies.Policies):
    name = "MutatingAdmissionPolicy"

    def __init__(self, parts: policies.Parts) -> None:
        super().__init__(
            parts, kinds.MUTATING_ADMISSION_POLICY, kinds.MUTATING_ADMISSION_POLICY_BINDING, mutating.Policy
        )

    async def mutate(self, review: Review) -> bool:
        if not self._bound:
            return False
        invocations, failures = await self._invocations(review)
        told = [(_misconfigured(one), "") for one in policies.closed(failures)]
        memory = reinvocation.begin(review, "policies")
        seen = policies.Seen(review, self._parts, self._matcher)
        changed = False
        for one in invocations:
            policy, identity = cast(mutating.Policy, one.bound.compiled), "/".join(one.identity)
            try:
                if not policy.matches(await seen.inputs(one.kind, one.param)):
                    continue
                if review.round and identity not in memory.wanted:
                    continue
                this = await self._mutate(one, policy, review, seen)
            except evaluation.Failed as why:
                if not policy.fails_open:
                    told.append((_denied(one.bound.name, one.binding, str(why)), "Invalid"))
                continue
            if this:
                memory.require_all()
                review.again = changed = True
            if policy.is_reinvoked:
                memory.invoked.add(identity)
        memory.output = reinvocation.encoded(review.obj)
        if told:
            raise _refused(review, told)
        return changed

    async def _mutate(
        self, one: policies.Invocation, policy: mutating.Policy, review: Review, seen: policies.Seen
    ) -> bool:
        """Whether it changed the object. Raises evaluation.Failed, StatusError."""
        before = reinvocation.encoded(review.obj)
        for index in range(len(policy.mutations)):
            obj, _ = await seen.versions.of(one.kind)
            if obj is None:
                break
            inputs = await seen.inputs(one.kind, one.param)
            patched = policy.mutate(index, inputs, obj, _type(one.kind, review))
            if patched is not obj:
                review.obj = self._parts.body(review, await seen.versions.back(patched, one.kind))
                seen.versions.forget()
        return before != reinvocation.encoded(review.obj)


def _type(kind: Kind, review: Review) -> compiling.Type:
    """Of the body: a subresource may have one of its own."""
    found = requests.body_kind(kind, review.call.target.subresource)
    if found["kind"] == kind.kind:
        return compiling.of_kind(kind)
    return compiling.of_names(found["group"], found["version"], found["kind"])


def _misconfigured(failure: policies.Failure) -> str:
    what = "policy" if failure.binding is None else "binding"
    return _denied(failure.bound.name, failure.binding, f"failed to configure {what}: {failure.why}")


def _denied(policy: str, binding: Object | None, why: str) -> str:
    if binding is None:
        return f'policy "{policy}" denied request: {why}'
    return f"policy '{policy}' with binding '{binding['metadata']['name']}' denied request: {why}"


def _refused(review: Review, told: Sequence[tuple[str, str]]) -> errors.StatusError:
    """403 in the words of the first, with all as causes."""
    kind = review.call.kind
    message, reason = told[0]
    found = errors.forbidden(kind.plural, review.name, "admission request denied by policy", kind.group)
    status = found.status
    status["message"] = message
    status["reason"] = reason or status["reason"]
    status["details"] = {**status["details"], "causes": [{"message": one} for one, _ in told]}
    return errors.StatusError(status)
