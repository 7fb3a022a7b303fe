"""Defaults of PodCertificateRequests."""

from steersman.meta.objects import Object

EXPIRATION_SECONDS = 86_400


def default_pod_certificate_request(request: Object) -> None:
    request.setdefault("spec", {}).setdefault("maxExpirationSeconds", EXPIRATION_SECONDS)
