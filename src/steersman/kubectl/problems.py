"""What a command that fails says on stderr, and its exit code: kubectl's own sentences for refusals, lost connections, usage.

Source of the sentences: kubectl's cmd/util (CheckErr and its kin).
"""

import socket
from collections.abc import Sequence
from typing import Any

from steersman.client.http_connection import Unreachable
from steersman.client.kubeconfig import KubeconfigError
from steersman.meta.errors import StatusError

__all__ = [
    "TOLD",
    "CommandError",
    "Exit",
    "KubeconfigError",
    "Several",
    "StatusError",
    "Unreachable",
    "UsageError",
    "describe",
    "message",
    "raise_all",
    "together",
    "without",
]


class CommandError(Exception):
    """The command cannot go on; `text` is said after "error: ". `printed` is output that was made before it."""

    printed = ""

    def __init__(self, text: str, code: int = 1, *, bare: bool = False) -> None:
        """`bare`: without "error: "."""
        super().__init__(text)
        self.code = code
        self.bare = bare


class UsageError(Exception):
    """The command was called wrongly; the text is followed by where help is to be found."""


class Exit(Exception):
    """End with this code; everything has been said."""

    def __init__(self, code: int = 1) -> None:
        super().__init__(code)
        self.code = code


class Several(Exception):
    """More than one thing went wrong (Go's Aggregate)."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__(_aggregate_text(errors))
        self.errors = tuple(errors)


# What ends a command in a sentence; anything else is a mistake of ours.
TOLD = (CommandError, UsageError, Exit, Several, StatusError, Unreachable, KubeconfigError, OSError)


def together(errors: Sequence[Exception]) -> Exception | None:
    """One error as it is, several as `Several`, None for none."""
    return None if not errors else errors[0] if len(errors) == 1 else Several(errors)


def without(error: Exception | None, reason: str) -> Exception | None:
    """What is left of one or several errors without the server's refusals for that reason."""
    errors = error.errors if isinstance(error, Several) else (error,) if error is not None else ()
    return together([one for one in errors if not (isinstance(one, StatusError) and one.reason == reason)])


def raise_all(errors: Sequence[Exception]) -> None:
    found = together(errors)
    if found is not None:
        raise found


def describe(error: BaseException, *, server: str = "", command: str = "kubectl") -> tuple[str, int]:
    """What is written (with its line end; "" for nothing) and the exit code."""
    text, code = _describe(error, server, command)
    return (f"{text}\n" if text and not text.endswith("\n") else text), code


def _describe(error: BaseException, server: str, command: str) -> tuple[str, int]:
    match error:
        case Exit():
            return "", error.code
        case UsageError():
            return f"error: {error}\nSee '{command} -h' for help and examples", 1
        case CommandError():
            text = str(error)
            return (text if error.bare or text.startswith("error: ") else f"error: {text}"), error.code
        case StatusError() if error.reason == "Invalid":
            return _invalid(error), 1
        case Several():
            return "".join(f"{message(one, server=server)}\n" for one in error.errors), 1
        case StatusError() | Unreachable():
            return message(error, server=server), 1
    text = str(error)
    return (text if text.startswith("error: ") else f"error: {text}"), 1


def message(error: BaseException, *, server: str = "") -> str:
    """One error's sentence among others: refusals and lost connections in words of their own, others as they are."""
    if isinstance(error, StatusError):
        if error.reason == "Unauthorized":
            return f"error: You must be logged in to the server ({error})"
        return f"Error from server ({error.reason}): {error}" if error.reason else f"Error from server: {error}"
    if isinstance(error, Unreachable):
        return _unreachable(error, server)
    return str(error)


def _unreachable(error: Unreachable, server: str) -> str:
    """Go's words for what went wrong on the way, as far as there are any."""
    cause = error.__cause__
    host = server.partition("://")[2].partition("/")[0] or server
    if isinstance(cause, ConnectionRefusedError):
        return f"The connection to the server {host} was refused - did you specify the right host or port?"
    why = str(error)
    code = getattr(cause, "verify_code", None)  # of a certificate: OpenSSL's X509_V_ERR_…
    if code is not None:
        why = f"tls: failed to verify certificate: x509: {_CERTIFICATES.get(code, str(cause))}"
    elif isinstance(cause, TimeoutError):
        why = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
    elif isinstance(cause, socket.gaierror):
        why = f"dial tcp: lookup {host.rpartition(':')[0] or host}: no such host"
    return f"Unable to connect to the server: {why}"


_CERTIFICATES = {
    10: "certificate has expired or is not yet valid",
    18: "certificate signed by unknown authority",
    19: "certificate signed by unknown authority",
    20: "certificate signed by unknown authority",
    21: "certificate signed by unknown authority",
    62: "certificate is not valid for the server's name",
    64: "certificate is not valid for the server's address",
}


def _invalid(error: StatusError) -> str:
    details: dict[str, Any] = error.status.get("details") or {}
    told = "The request is invalid"
    said = str(error)
    if not details:
        return f"{told}: {said}" if said else told
    causes = details.get("causes") or []
    if details.get("kind") or details.get("name"):
        told = f'The {details.get("kind", "")} "{details.get("name", "")}" is invalid'
    elif said and not causes:
        told += f": {said}"
    if not causes:
        return told
    lines = sorted({f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes})
    if len(lines) == 1:
        return f"{told}: {lines[0]}\n"
    return f"{told}: \n" + "".join(f"* {line}\n" for line in lines)


def _aggregate_text(errors: Sequence[Exception]) -> str:
    texts = list(dict.fromkeys(map(str, errors)))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
