"""policy: what may be disrupted."""

from steersman.api import strategies
from steersman.api.kind import Kind
from steersman.api.kinds.shared import status
from steersman.api.printing import policy as policy_cells
from steersman.api.validation import policy as policy_rules

POLICY = "policy"

POD_DISRUPTION_BUDGET = Kind(
    POLICY, "v1", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget",
    short_names=("pdb",),
    subresources=(status("PodDisruptionBudget", POLICY),),
    columns=policy_cells.POD_DISRUPTION_BUDGET_COLUMNS, cells=policy_cells.pod_disruption_budget,
    validate=policy_rules.validate_pod_disruption_budget,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip
