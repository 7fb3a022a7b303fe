"""certificates.k8s.io."""

from steersman.api import selectable, strategies
from steersman.api.defaults import certificates as certificate_defaults
from steersman.api.kind import Deprecation, Kind, Subresource, of_version
from steersman.api.kinds.shared import status
from steersman.api.printing import certificates as certificate_cells
from steersman.api.validation import certificate_requests as request_rules
from steersman.api.validation import pod_certificates as pod_certificate_rules
from steersman.api.validation import trust_bundles as trust_bundle_rules

CERTIFICATES = "certificates.k8s.io"

CLUSTER_TRUST_BUNDLE = Kind(
    CERTIFICATES, "v1", "ClusterTrustBundle", "clustertrustbundles", "clustertrustbundle", namespaced=False,
    columns=certificate_cells.TRUST_BUNDLE_COLUMNS, cells=certificate_cells.trust_bundle,
    validate=trust_bundle_rules.validate_trust_bundle,
    fields=selectable.of_trust_bundle,
)  # fmt: skip

CLUSTER_TRUST_BUNDLE_V1BETA1 = of_version(CLUSTER_TRUST_BUNDLE, "v1beta1", deprecation=Deprecation(36, 39))

POD_CERTIFICATE_REQUEST = Kind(
    CERTIFICATES, "v1", "PodCertificateRequest", "podcertificaterequests", "podcertificaterequest",
    subresources=(status("PodCertificateRequest", CERTIFICATES),),
    columns=certificate_cells.POD_CERTIFICATE_COLUMNS, cells=certificate_cells.pod_certificate,
    default=certificate_defaults.default_pod_certificate_request,
    validate=pod_certificate_rules.validate_pod_certificate_request,
    prepare=strategies.drop_status, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_pod_certificate_request,
)  # fmt: skip

POD_CERTIFICATE_REQUEST_V1BETA1 = of_version(POD_CERTIFICATE_REQUEST, "v1beta1")

CERTIFICATE_SIGNING_REQUEST = Kind(
    CERTIFICATES, "v1", "CertificateSigningRequest", "certificatesigningrequests", "certificatesigningrequest",
    namespaced=False,
    short_names=("csr",),
    subresources=(
        status("CertificateSigningRequest", CERTIFICATES),
        Subresource("approval", "CertificateSigningRequest", CERTIFICATES, "v1"),
    ),
    columns=certificate_cells.REQUEST_COLUMNS, cells=certificate_cells.request,
    validate=request_rules.validate_certificate_request,
    prepare=strategies.prepare_certificate_request, prepare_status=strategies.keep_all_but_status,
    fields=selectable.of_certificate_request,
)  # fmt: skip
