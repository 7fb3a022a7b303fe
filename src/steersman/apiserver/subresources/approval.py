"""approval of CertificateSigningRequests: writes the conditions, and nothing else."""

import orjson

from steersman.apiserver import negotiation, patching, writing
from steersman.apiserver.call import Call
from steersman.meta.objects import Object
from steersman.serving import messages


class Approvals:
    def __init__(self, writer: writing.Writer) -> None:
        self._writer = writer

    async def answer(self, call: Call) -> messages.Response:
        if call.target.verb == "update":
            body = orjson.dumps(self._writer.decode(call, negotiation.read_object(call.request)))
            return await self._writer.change(call, lambda old: decided(old, orjson.loads(body)))
        patch = patching.read(call)
        return await self._writer.change(
            call, lambda old: decided(old, self._writer.decode(call, patching.apply(call, patch, old)))
        )


def decided(old: Object, given: Object) -> Object:
    """`old` with the conditions and annotations of `given`; its resourceVersion is a precondition."""
    meta = {**old["metadata"], "resourceVersion": given["metadata"].get("resourceVersion")}
    for field in ("annotations", "labels"):
        if field in given["metadata"]:
            meta[field] = given["metadata"][field]
    if not meta["resourceVersion"]:
        del meta["resourceVersion"]
    status = {**(old.get("status") or {})}
    told = (given.get("status") or {}).get("conditions")
    if told:
        status["conditions"] = told
    else:
        status.pop("conditions", None)
    return {**old, "metadata": meta, "status": status}
