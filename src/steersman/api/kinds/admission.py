"""admissionregistration.k8s.io."""

from steersman.api import strategies
from steersman.api.defaults import policies as policy_defaults
from steersman.api.defaults import webhooks as webhook_defaults
from steersman.api.kind import Kind, of_version
from steersman.api.kinds.shared import status
from steersman.api.printing import admission as admission_cells
from steersman.api.validation import policies as policy_rules
from steersman.api.validation import webhooks as webhook_rules

ADMISSION = "admissionregistration.k8s.io"

MUTATING_WEBHOOK_CONFIGURATION = Kind(
    ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "mutatingwebhookconfiguration",
    namespaced=False, categories=("api-extensions",),
    columns=admission_cells.WEBHOOK_COLUMNS, cells=admission_cells.webhooks,
    default=webhook_defaults.default_mutating, validate=webhook_rules.validate,
    has_generation=True, spec_fields=("webhooks",),
)  # fmt: skip

VALIDATING_WEBHOOK_CONFIGURATION = Kind(
    ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "validatingwebhookconfiguration",
    namespaced=False, categories=("api-extensions",),
    columns=admission_cells.WEBHOOK_COLUMNS, cells=admission_cells.webhooks,
    default=webhook_defaults.default_validating, validate=webhook_rules.validate,
    has_generation=True, spec_fields=("webhooks",),
)  # fmt: skip

VALIDATING_ADMISSION_POLICY = Kind(
    ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", "validatingadmissionpolicy",
    namespaced=False, categories=("api-extensions",),
    subresources=(status("ValidatingAdmissionPolicy", ADMISSION),),
    columns=admission_cells.VALIDATING_POLICY_COLUMNS, cells=admission_cells.validating_policy,
    default=policy_defaults.default_policy, validate=policy_rules.validate_validating,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    has_generation=True,
)  # fmt: skip

VALIDATING_ADMISSION_POLICY_BINDING = Kind(
    ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "validatingadmissionpolicybinding",
    namespaced=False, categories=("api-extensions",),
    columns=admission_cells.BINDING_COLUMNS, cells=admission_cells.binding,
    default=policy_defaults.default_binding, validate=policy_rules.validate_validating_binding,
    has_generation=True,
)  # fmt: skip

MUTATING_ADMISSION_POLICY = Kind(
    ADMISSION, "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", "mutatingadmissionpolicy",
    namespaced=False, categories=("api-extensions",),
    columns=admission_cells.MUTATING_POLICY_COLUMNS, cells=admission_cells.mutating_policy,
    default=policy_defaults.default_policy, validate=policy_rules.validate_mutating,
    has_generation=True,
)  # fmt: skip

MUTATING_ADMISSION_POLICY_BINDING = Kind(
    ADMISSION, "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", "mutatingadmissionpolicybinding",
    namespaced=False, categories=("api-extensions",),
    columns=admission_cells.BINDING_COLUMNS, cells=admission_cells.binding,
    default=policy_defaults.default_binding, validate=policy_rules.validate_mutating_binding,
    has_generation=True,
)  # fmt: skip

MUTATING_ADMISSION_POLICY_V1BETA1 = of_version(MUTATING_ADMISSION_POLICY, "v1beta1")

MUTATING_ADMISSION_POLICY_BINDING_V1BETA1 = of_version(MUTATING_ADMISSION_POLICY_BINDING, "v1beta1")
