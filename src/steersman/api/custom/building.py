"""CustomResourceDefinitions written short: what is the same in each of them is filled in. Pure."""

from steersman.meta.objects import Object

_METADATA = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def definition(group: str, approved: str, one: Object) -> Object:
    """`one`: names, scope, version, columns, and the schemas of its fields (`properties`, or `spec` alone) and `status`.
    `approved`: who approved the API, which upstream asks of definitions in a k8s.io group."""
    properties = {**_METADATA, **(one.get("properties") or {"spec": one["spec"]})}
    version: Object = {
        "name": one["version"],
        "served": True,
        "storage": True,
        "additionalPrinterColumns": one["columns"],
    }
    if "status" in one:
        properties["status"] = one["status"]
        version["subresources"] = {"status": {}}
    schema = {"type": "object", "properties": properties}
    if one.get("required"):
        schema["required"] = one["required"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{one['names']['plural']}.{group}",
            "annotations": {"api-approved.kubernetes.io": approved},
        },
        "spec": {
            "group": group,
            "names": one["names"],
            "scope": one["scope"],
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }
