"""Config maps, secrets and service accounts. Of a secret only the sizes are shown, but a service account's token."""

import base64

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import NONE, Description, head, metadata
from steersman.meta.objects import Object

_TOKEN_TYPE = "kubernetes.io/service-account-token"


def config_map(d: Description, obj: Object) -> None:
    head(d, obj)
    d.write(0, "\nData\n====\n")
    for key, value in sorted((obj.get("data") or {}).items()):
        d.write(0, f"{key}:\n----\n")
        d.write(0, f"{value}\n")
        d.write(0, "\n")
    d.write(0, "\nBinaryData\n====\n")
    for key, value in sorted((obj.get("binaryData") or {}).items()):
        d.write(0, f"{key}: {len(base64.b64decode(value))} bytes\n")
    d.write(0, "\n")
    events.write(d)


def secret(d: Description, obj: Object) -> None:
    head(d, obj)
    d.write(0, f"\nType:\t{obj.get('type', '')}\n")
    d.write(0, "\nData\n====\n")
    for key, value in sorted((obj.get("data") or {}).items()):
        data = base64.b64decode(value)
        is_token = key == "token" and obj.get("type") == _TOKEN_TYPE
        d.row(0, f"{key}:", data.decode(errors="replace") if is_token else f"{len(data)} bytes")


def service_account(d: Description, obj: Object) -> None:
    """With the secrets of the namespace that are tokens of it, and a word where a secret is gone."""
    head(d, obj)
    known = {metadata(one).get("name") for one in d.seen.others.get("secrets") or ()}
    tokens = [metadata(one).get("name", "") for one in d.seen.others.get("secrets") or () if _is_token_of(one, obj)]
    for title, names in (
        ("Image pull secrets:", [one.get("name", "") for one in obj.get("imagePullSecrets") or ()]),
        ("Mountable secrets: ", [one.get("name", "") for one in obj.get("secrets") or ()]),
        ("Tokens:            ", tokens),
    ):
        if not names:
            d.row(0, title, NONE)
        for at, name in enumerate(names):
            shown = name if name in known or "secrets" not in d.seen.others else f"{name} (not found)"
            d.row(0, title if at == 0 else " " * len(title), shown)
    events.write(d)


def _is_token_of(secret: Object, account: Object) -> bool:
    notes = metadata(secret).get("annotations") or {}
    return (
        secret.get("type") == _TOKEN_TYPE
        and notes.get("kubernetes.io/service-account.name") == metadata(account).get("name")
        and notes.get("kubernetes.io/service-account.uid", metadata(account).get("uid")) == metadata(account).get("uid")
    )
