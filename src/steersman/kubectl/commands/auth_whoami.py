"""`kubectl auth whoami`: who the server takes the caller for."""

from steersman.kubectl import flags_shared, printers
from steersman.kubectl.call import Call
from steersman.kubectl.printers import go_values
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

TYPE = "io.k8s.api.authentication.v1.SelfSubjectReview"
VERSIONS = ("v1", "v1beta1", "v1alpha1")  # a server has one of them, the newest first

FLAGS = flags_shared.PRINT
USAGE = "whoami"
HELP = """Tell who you are to the server: name, groups and whatever else it knows.

Useful where identities are made up on the way: by webhooks, proxies or OpenID Connect.
"""
EXAMPLES = """
# Who am I?
{program} auth whoami

# The same as JSON
{program} auth whoami -o json
"""


async def run(call: Call) -> int | None:
    output = call.flags["output"]
    printer = printers.make(call.flags) if output else None
    review = await _asked(call)
    if output == "json":
        from steersman.kubectl.printers.typed_json import TypedJsonPrinter

        printer = TypedJsonPrinter(TYPE)
    call.write(_table(review) if printer is None else printer.print(review))
    return None


async def _asked(call: Call) -> Object:
    missing: StatusError | None = None
    for version in VERSIONS:
        api_version = f"authentication.k8s.io/{version}"
        body = {"apiVersion": api_version, "kind": "SelfSubjectReview"}
        try:
            answer = await call.ask("POST", f"/apis/{api_version}/selfsubjectreviews", body=body)
        except StatusError as refused:
            if refused.reason == "Forbidden":
                raise CommandError(
                    "the selfsubjectreviews API is not enabled in the cluster or you do not have permission to call it"
                ) from None
            if refused.reason != "NotFound":
                raise
            missing = refused
            continue
        metadata = {"creationTimestamp": None, **(answer.get("metadata") or {})}
        return {**answer, "kind": "SelfSubjectReview", "apiVersion": api_version, "metadata": metadata}
    raise CommandError(
        "the selfsubjectreviews API is not enabled in the cluster\n"
        "enable APISelfSubjectReview feature gate and authentication.k8s.io/v1alpha1, "
        "authentication.k8s.io/v1beta1, or authentication.k8s.io/v1 API"
    ) from missing


def _table(review: Object) -> str:
    user = (review.get("status") or {}).get("userInfo") or {}
    writer = TabWriter()
    writer.row("ATTRIBUTE", "VALUE")
    for title, key in (("Username", "username"), ("UID", "uid")):
        if user.get(key):
            writer.row(title, user[key])
    if user.get("groups"):
        writer.row("Groups", go_values.show(user["groups"]))
    for key, values in sorted((user.get("extra") or {}).items()):
        writer.row(f"Extra: {key}", go_values.show(values))
    return writer.flush()
