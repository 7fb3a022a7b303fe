"""Keep `typeChecking` and `observedGeneration` of a ValidatingAdmissionPolicy's status at what its spec says.

Reads: ValidatingAdmissionPolicies, the kinds there are.  Writes: the status of a policy.
Leaves to others: enforcing policies, refusing those that do not compile at all (API server).

Upstream checks a policy once per generation. Ours checks again when a kind that its rules name comes or goes.
"""

import dataclasses
from collections.abc import Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.policies import type_checking
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`matched` are the kinds that the rules name, `params` the kind of its parameters, if there is such a one."""

    policy: Object
    matched: Sequence[Kind]
    params: Kind | None


def decide(seen: Seen) -> Decision:
    policy = seen.policy
    warnings = type_checking.check(policy, seen.matched, seen.params)
    checked: Object = {"expressionWarnings": warnings} if warnings else {}
    status = {
        **(policy.get("status") or {}),
        "observedGeneration": policy["metadata"].get("generation", 0),
        "typeChecking": checked,
    }
    why = f"{len(warnings)} expressions do not fit" if warnings else "all expressions fit"
    return Decision(decision.with_status(kinds.VALIDATING_ADMISSION_POLICY, policy, status), why)
