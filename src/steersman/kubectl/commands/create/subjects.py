"""Who a binding is for: `--user`, `--group`, `--serviceaccount`. Pure."""

from steersman.kubectl.flags import STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_RBAC = "rbac.authorization.k8s.io"


def flags(role: str) -> tuple[Flag, ...]:
    return (
        Flag("user", STRINGS, help=f"Users who get the {role}; may be given again."),
        Flag("group", STRINGS, help=f"Groups who get the {role}; may be given again."),
        Flag(
            "serviceaccount", STRINGS, help=f"Service accounts who get the {role}, NAMESPACE:NAME; may be given again."
        ),
    )


def parse(values: Values) -> list[Object]:
    """Raises CommandError."""
    found: list[Object] = [{"kind": "User", "apiGroup": _RBAC, "name": name} for name in values["user"]]
    found += [{"kind": "Group", "apiGroup": _RBAC, "name": name} for name in values["group"]]
    for account in values["serviceaccount"]:
        namespace, _, name = account.partition(":")
        if not namespace or not name or ":" in name:
            raise CommandError("serviceaccount must be <namespace>:<name>")
        found.append({"kind": "ServiceAccount", "name": name, "namespace": namespace})
    return found


def role_ref(kind: str, name: str) -> Object:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}
