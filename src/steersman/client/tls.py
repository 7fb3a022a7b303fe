"""The TLS side of an access: trust and client certificate from memory, never through a file that others could read."""

import contextlib
import os
import ssl
from collections.abc import Iterator

from steersman.client.kubeconfig import Access


def client_context(access: Access) -> ssl.SSLContext:
    """Verifies the server against the access's CA (or the system's), shows the client certificate if there is one."""
    context = ssl.create_default_context(cadata=access.authority.decode("ascii") if access.authority else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate:
        with _in_memory(access.certificate) as certificate, _in_memory(access.key) as key:
            context.load_cert_chain(certificate, key)
    return context


@contextlib.contextmanager
def _in_memory(pem: bytes) -> Iterator[str]:
    """A path, valid inside the block, to bytes that are on no disk: OpenSSL reads certificates only from files."""
    handle = os.memfd_create("pem")
    try:
        os.write(handle, pem)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
