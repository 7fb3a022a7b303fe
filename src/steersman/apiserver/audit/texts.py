"""An event in upstream's old form: one line of text (`--audit-log-format legacy`). Pure."""

import json
from collections.abc import Iterable

from steersman.meta.objects import Object


def line(event: Object) -> bytes:
    user, acting = event.get("user") or {}, event.get("impersonatedUser")
    code = (event.get("responseStatus") or {}).get("code")
    parts = {
        "id": _quoted(event["auditID"]),
        "stage": _quoted(event["stage"]),
        "ip": _quoted((event.get("sourceIPs") or ["<unknown>"])[0]),
        "method": _quoted(event["verb"]),
        "user": _quoted(user.get("username") or "<none>"),
        "groups": _list(user.get("groups") or ("<none>",)),
        "as": _quoted(acting["username"] if acting else "<self>"),
        "asgroups": _list((acting.get("groups") or ("<none>",)) if acting else ("<lookup>",)),
        "user-agent": _quoted(event.get("userAgent", "")),
        "namespace": _quoted((event.get("objectRef") or {}).get("namespace") or "<none>"),
        "uri": _quoted(event["requestURI"]),
        "response": _quoted("<deferred>" if code is None else str(code)),
    }
    said = " ".join(f"{name}={value}" for name, value in parts.items())
    return f"{event['requestReceivedTimestamp']} AUDIT: {said}\n".encode()


def _list(texts: Iterable[str]) -> str:
    return ",".join(map(_quoted, texts))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
