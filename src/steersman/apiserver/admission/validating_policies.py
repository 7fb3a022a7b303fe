"""ValidatingAdmissionPolicies: refuse, warn or note, as their bindings say.

Source: apiserver's admission/plugin/policy/validating/dispatcher.go.
"""

from typing import cast

import orjson

from steersman.api import kinds
from steersman.api.policies import validating
from steersman.apiserver.admission import policies
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.audit import trail
from steersman.meta.objects import Object

_FAILURE = "validation.policy.admission.k8s.io/validation_failure"


class ValidatingPolicies(policies.Policies):
    name = "ValidatingAdmissionPolicy"

    def __init__(self, parts: policies.Parts) -> None:
        super().__init__(
            parts,
            kinds.VALIDATING_ADMISSION_POLICY,
            kinds.VALIDATING_ADMISSION_POLICY_BINDING,
            validating.Policy,
        )

    async def validate(self, review: Review) -> None:
        """All policies are heard; the first denial is told."""
        if not self._bound:
            return
        invocations, failures = await self._invocations(review)
        denials = [_misconfigured(one) for one in policies.closed(failures)]
        seen = policies.Seen(review, self._parts, self._matcher)
        for one in invocations:
            policy = cast(validating.Policy, one.bound.compiled)
            verdict = policy.judge(await seen.inputs(one.kind, one.param))
            for denial in verdict.denials:
                denials += self._act(one, denial, review)
            denials += [(_told(one.bound.name, one.binding, failed.message), "") for failed in verdict.failures]
            for key, value in verdict.annotations:
                trail.annotate(f"{one.bound.name}/{key}", value)
        if denials:
            message, reason = denials[0]
            raise policies.refusal(review, message, reason or "Invalid")

    def _act(self, invocation: policies.Invocation, denial: validating.Denial, review: Review) -> list[tuple[str, str]]:
        """What the binding wants done about it."""
        found = []
        name, binding = invocation.bound.name, invocation.binding["metadata"]["name"]
        for action in invocation.binding["spec"].get("validationActions") or ():
            if action == "Deny":
                found.append((_told(name, invocation.binding, denial.message), denial.reason))
            elif action == "Warn":
                about = f"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{binding}'"
                review.call.warnings.append(f"{about}: {denial.message}")
            else:
                failure = {
                    "message": denial.message,
                    "policy": name,
                    "binding": binding,
                    "expressionIndex": denial.index,
                }
                actions = invocation.binding["spec"]["validationActions"]
                trail.annotate(_FAILURE, orjson.dumps([{**failure, "validationActions": actions}]).decode())
        return found


def _misconfigured(failure: policies.Failure) -> tuple[str, str]:
    what = "policy" if failure.binding is None else "binding"
    return _told(failure.bound.name, failure.binding, f"failed to configure {what}: {failure.why}"), ""


def _told(policy: str, binding: Object | None, message: str) -> str:
    of_binding = "" if binding is None else f" with binding '{binding['metadata']['name']}'"
    return f"ValidatingAdmissionPolicy '{policy}'{of_binding} denied request: {message}"
