"""TLS contexts: a server that may ask for client certificates, and a client that shows one.

Keeps true: TLS 1.2 or newer; a certificate counts only when our CA signed it. Reads files; writes nothing.
Leaves to others: making keys and certificates (`cluster.pki`).
"""

import pathlib
import ssl

from steersman.serving import messages

Path = str | pathlib.Path


def server_context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """For listening. With `client_ca`, a client may show a certificate, and a wrong one ends the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """For connecting to a server whose certificate `ca` signed, as the user of `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def peer_of(address: object, certificate: dict[str, object] | None) -> messages.Peer:
    """The `Peer` behind a connection: `certificate` is what `SSLSocket.getpeercert()` returns."""
    host = str(address[0]) if isinstance(address, tuple) and address else ""
    if not certificate:
        return messages.Peer(address=host)
    user, groups = "", []
    subject = certificate.get("subject", ())
    assert isinstance(subject, tuple)
    for part in subject:
        for name, value in part:
            if name == "commonName":
                user = value
            elif name == "organizationName":
                groups.append(value)
    return messages.Peer(host, user, tuple(groups))
