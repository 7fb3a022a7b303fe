"""Patches that are applied here and not by the server: `--local`, `--dry-run=client`."""

from typing import Any

from steersman.api import schema
from steersman.api.kind import Kind
from steersman.api.patches import json_patch, merge_patch, strategic_merge
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object


def patched(obj: Object, type_name: str, body: Any) -> Object:
    """The object as the patch would make it. Raises CommandError."""
    try:
        match type_name:
            case "json":
                return json_patch.apply(obj, body)
            case "merge":
                return merge_patch.apply(obj, body)
            case _:
                return strategic(obj, body)
    except StatusError as refused:
        causes = (refused.status.get("details") or {}).get("causes") or ()
        raise CommandError(causes[0]["message"] if causes else str(refused)) from refused


def strategic(obj: Object, body: Any) -> Object:
    """By the types of built-in kinds. Raises CommandError, StatusError."""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    kind = str(obj.get("kind", ""))
    if schema.of_release().name_of(group, version, kind) is None:
        raise CommandError(
            f"strategic merge patch is not supported for {group}/{version}, Kind={kind} locally, try --type merge"
        )
    return strategic_merge.apply(Kind(group=group, version=version, kind=kind, plural="", singular=""), obj, body)
