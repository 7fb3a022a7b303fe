"""`namespaces/NAME/finalize`: the only way to change spec.finalizers of a namespace; the last one lets it go."""

from steersman.apiserver import writing
from steersman.apiserver.call import Call
from steersman.meta.objects import Object
from steersman.serving import messages


async def answer(call: Call, writer: writing.Writer) -> messages.Response:
    given = writer.read(call)
    return await writer.change(call, lambda old: finalized(old, given))


def finalized(old: Object, given: Object) -> Object:
    """The namespace with the finalizers given; nothing else of it changes."""
    meta = dict(old["metadata"])
    meta.pop("resourceVersion", None)
    for field in ("resourceVersion", "uid"):
        if given["metadata"].get(field):
            meta[field] = given["metadata"][field]
    spec = {key: value for key, value in (old.get("spec") or {}).items() if key != "finalizers"}
    finalizers = (given.get("spec") or {}).get("finalizers")
    if finalizers:
        spec["finalizers"] = finalizers
    return {**old, "metadata": meta, "spec": spec}
