"""`kubectl certificate approve`: a certificate that was asked for may be issued."""

import functools

from steersman.kubectl import builder, files, flags, flags_shared, printers
from steersman.kubectl.builder import Info, Query
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta import times
from steersman.meta.objects import Object

FLAGS = (
    Flag("force", flags.BOOL, help="Write the condition although it is there."),
    *flags_shared.filenames("to update"),
    *flags_shared.PRINT,
)
USAGE = "(-f FILENAME | NAME)"
HELP = """Approve a certificate signing request.

Whoever asked gets a certificate for what is in the request: look at it before.
"""
EXAMPLES = """
# A request by its name
{program} certificate approve csr-sqgzp
"""
APPROVED, DENIED = "Approved", "Denied"
# How often a request is read again that somebody else has changed.
CONFLICTS_MAX = 10


async def run(call: Call) -> None:
    message = "This CSR was approved by kubectl certificate approve."
    await decide(call, APPROVED, DENIED, "KubectlApprove", message)


async def decide(call: Call, condition: str, opposite: str, reason: str, message: str) -> None:
    """Each request that is named gets the condition, unless it has the opposite one."""
    filenames = files.from_flags(call.flags)
    if not call.arguments and not filenames.given:
        raise CommandError("one or more CSRs must be specified as <name> or -f <filename>")
    arguments = ("certificatesigningrequests", *call.arguments) if call.arguments else ()
    query = Query(arguments=arguments, filenames=filenames, namespace=call.namespace, latest=True, keep_going=True)
    printer = printers.make(call.flags, operation=condition.lower())
    count = 0

    async def one(info: Info) -> None:
        nonlocal count
        await _decide_one(call, info, functools.partial(decided, condition, opposite, reason, message))
        count += 1
        call.write(printer.print(info.object))

    await (await builder.find(call, query)).visit(one)
    if not count:
        call.print("No resources found")


async def _decide_one(call: Call, info: Info, make: "functools.partial[Object | None]") -> None:
    if (info.resource.group, info.resource.kind) != ("certificates.k8s.io", "CertificateSigningRequest"):
        kind = f"{info.resource.kind}.{info.resource.group}".rstrip(".")
        raise CommandError(f"can only handle CertificateSigningRequest.certificates.k8s.io objects, got {kind}")
    for attempt in range(CONFLICTS_MAX + 1):
        seen = await call.ask("GET", info.path)
        request = make(seen, call.flags["force"], times.format_seconds(call.clock.now()))
        if request is None:
            return
        try:
            await call.ask("PUT", f"{info.path}/approval", None, request)
        except StatusError as refused:
            if refused.reason != "Conflict" or attempt == CONFLICTS_MAX:
                raise
            continue
        return


def decided(
    condition: str, opposite: str, reason: str, message: str, request: Object, force: bool, now: str
) -> Object | None:
    """The request with the condition; None where there is nothing to write. Raises CommandError."""
    there = (request.get("status") or {}).get("conditions") or []
    if any(found["type"] == opposite for found in there):
        raise CommandError(f'certificate signing request "{request["metadata"]["name"]}" is already {opposite}')
    if any(found["type"] == condition for found in there):
        return request if force else None
    new = {"type": condition, "status": "True", "reason": reason, "message": message, "lastUpdateTime": now}
    return {**request, "status": {**(request.get("status") or {}), "conditions": [*there, new]}}
