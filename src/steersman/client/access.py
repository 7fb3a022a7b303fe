"""How to reach one API server as one user, and the TLS that follows from it.

Keeps true: keys go from memory to OpenSSL, never through a file that others could read.
"""

import contextlib
import dataclasses
import datetime
import os
import ssl
from collections.abc import Callable, Iterator

# A token, and until when it is good (None: it does not say).
Lender = Callable[[], tuple[str, datetime.datetime | None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server as one user. PEM texts are bytes; `namespace` is the context's default."""

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = dataclasses.field(default=b"", repr=False)
    token: str = dataclasses.field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    insecure: bool = False
    server_name: str = ""  # checked in the server's certificate instead of the host
    namespace: str = ""
    context: str = ""
    headers: tuple[tuple[str, str], ...] = ()  # sent with every request (impersonation)
    proxy: str = ""  # URL of an HTTP proxy that leads to the server
    lender: Lender | None = dataclasses.field(
        default=None, repr=False
    )  # asked for a token, and again when it has run out

    def tls_context(self) -> ssl.SSLContext:
        """Verifies the server against our CA (or the system's), and shows the client certificate if there is one."""
        context = ssl.create_default_context(cadata=self.authority.decode("ascii") if self.authority else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            with _in_memory(self.certificate) as certificate, _in_memory(self.key) as key:
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
