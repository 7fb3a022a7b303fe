"""admissionregistration.k8s.io."""

from steersman.api.defaults import webhooks as webhook_defaults
from steersman.api.kind import Kind
from steersman.api.printing import admission as admission_cells
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
