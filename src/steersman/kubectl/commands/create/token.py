"""`create token`: a token of a service account."""

from steersman.kubectl import flags_shared, printers
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending
from steersman.kubectl.flags import DURATION, STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

_BOUND = {"Node": "v1", "Pod": "v1", "Secret": "v1"}

FLAGS = (
    Flag("audience", STRINGS, help="Whom the token is for, instead of the API server; may be given again."),
    Flag("bound-object-kind", help="Kind of the object that the token lives as long as: Node, Pod or Secret."),
    Flag("bound-object-name", help="Its name; needs --bound-object-kind."),
    Flag("bound-object-uid", help="Its UID; needs its kind and name. Without it, that of the one that is there."),
    Flag("duration", DURATION, help="How long it shall be good; without, or 0, the server decides."),
    *flags_shared.PRINT,
)
USAGE = "SERVICE_ACCOUNT_NAME"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    check(call.flags)
    body = generate(call.flags)
    path = f"/api/v1/namespaces/{call.namespace}/serviceaccounts/{name}/token"
    try:
        found = await call.ask("POST", path, None, body)
    except StatusError as refused:
        raise CommandError(f"failed to create token: {refused}") from refused
    token = (found.get("status") or {}).get("token")
    if not token:
        raise CommandError("failed to create token: no token in server response")
    if call.flags["output"]:
        shown = {"kind": body["kind"], "apiVersion": body["apiVersion"], **found, "spec": body["spec"] | found["spec"]}
        call.write(printers.make(call.flags, keep_order=True).print(shown))
    else:
        call.print(token)


def check(flags: Values) -> None:
    """Raises CommandError."""
    kind, name, uid = (flags[f"bound-object-{part}"] for part in ("kind", "name", "uid"))
    if flags["duration"] < 0:
        raise CommandError("--duration must be greater than or equal to 0")
    if flags["duration"] % 1:
        raise CommandError("--duration cannot be expressed in units less than seconds")
    if not kind:
        for given, flag in ((name, "name"), (uid, "uid")):
            if given:
                raise CommandError(f"--bound-object-{flag} can only be set if --bound-object-kind is provided")
        return
    if kind not in _BOUND:
        raise CommandError(f"supported --bound-object-kind values are {', '.join(sorted(_BOUND))}")
    if not name:
        raise CommandError("--bound-object-name is required if --bound-object-kind is provided")


def generate(flags: Values) -> Object:
    spec: Object = {"audiences": list(flags["audience"]) or None, "expirationSeconds": None, "boundObjectRef": None}
    if flags["duration"]:
        spec["expirationSeconds"] = int(flags["duration"])
    if flags["bound-object-kind"]:
        ref = {
            "kind": flags["bound-object-kind"],
            "apiVersion": _BOUND[flags["bound-object-kind"]],
            "name": flags["bound-object-name"],
        }
        spec["boundObjectRef"] = ref | ({"uid": flags["bound-object-uid"]} if flags["bound-object-uid"] else {})
    return {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": spec}
