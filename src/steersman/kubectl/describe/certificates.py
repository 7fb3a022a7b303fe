"""Certificate signing requests, with what stands in the request."""

import base64

from cryptography import x509
from cryptography.x509.oid import NameOID

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import Description, created, metadata, pairs_text, spec, status
from steersman.kubectl.problems import CommandError
from steersman.meta import times
from steersman.meta.objects import Object

_SUBJECT = (
    ("Organization", NameOID.ORGANIZATION_NAME),
    ("Organizational Unit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("Country", NameOID.COUNTRY_NAME),
    ("Locality", NameOID.LOCALITY_NAME),
    ("Province", NameOID.STATE_OR_PROVINCE_NAME),
    ("StreetAddress", NameOID.STREET_ADDRESS),
    ("PostalCode", NameOID.POSTAL_CODE),
)
_ALTERNATIVES: tuple[tuple[str, type[x509.GeneralName]], ...] = (
    ("DNS Names", x509.DNSName),
    ("Email Addresses", x509.RFC822Name),
    ("URIs", x509.UniformResourceIdentifier),
    ("IP Addresses", x509.IPAddress),
)


def signing_request(d: Description, obj: Object) -> None:
    request = _parse(spec(obj).get("request", ""))
    d.row(0, "Name:", metadata(obj).get("name", ""))
    d.row(0, "Labels:", pairs_text(metadata(obj).get("labels")))
    d.row(0, "Annotations:", pairs_text(metadata(obj).get("annotations")))
    created(d, obj)
    d.row(0, "Requesting User:", spec(obj).get("username", ""))
    if spec(obj).get("signerName"):
        d.row(0, "Signer:", spec(obj)["signerName"])
    if spec(obj).get("expirationSeconds") is not None:
        d.row(0, "Requested Duration:", times.human_duration(spec(obj)["expirationSeconds"]))
    d.row(0, "Status:", state(obj))
    d.write(0, "Subject:\n")
    d.write(0, f"\tCommon Name:\t{''.join(_values(request, NameOID.COMMON_NAME)[-1:])}\n")
    d.write(0, f"\tSerial Number:\t{''.join(_values(request, NameOID.SERIAL_NUMBER)[-1:])}\n")
    for title, oid in _SUBJECT:
        _listing(d, title, _values(request, oid))
    _alternative_names(d, request)
    events.write(d)


def state(obj: Object) -> str:
    types = {one.get("type") for one in status(obj).get("conditions") or ()}
    text = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    if "Failed" in types:
        text += ",Failed"
    return f"{text},Issued" if status(obj).get("certificate") else text


def _parse(request: str) -> x509.CertificateSigningRequest:
    try:
        return x509.load_pem_x509_csr(base64.b64decode(request))
    except ValueError:
        raise CommandError("Error parsing CSR: PEM block type must be CERTIFICATE REQUEST") from None


def _values(request: x509.CertificateSigningRequest, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(one.value) for one in request.subject.get_attributes_for_oid(oid)]


def _alternative_names(d: Description, request: x509.CertificateSigningRequest) -> None:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    found = {title: [str(one.value) for one in names if isinstance(one, kind)] for title, kind in _ALTERNATIVES}
    if any(found.values()):
        d.write(0, "Subject Alternative Names:\n")
        for title, values in found.items():
            _listing(d, title, values)


def _listing(d: Description, title: str, values: list[str]) -> None:
    if values:
        lines = "\n\t\t".join(values)
        d.write(0, f"\t{title}:\t{lines}\n")
