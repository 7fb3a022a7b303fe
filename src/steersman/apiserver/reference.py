"""The reference of the API as a document: every kind with its versions, verbs and subresources, and what is not supported.

`script/api-reference` writes it to docs/reference/api.md; a test fails when that file is not what this makes.
"""

import sys
from collections.abc import Iterable, Iterator

from steersman.api import kinds, releases, review_kinds, schema
from steersman.api.kind import Kind, Subresource
from steersman.apiserver.discovery import version_priority
from steersman.apiserver.resource_metrics import answers as resource_metrics

# What upstream does with these kinds and nobody here does. Kinds that are kept, checked and acted on have no line.
LIMITS = {
    "resourcepoolstatusrequests.resource.k8s.io": "kept and checked; nobody answers them",
    "workloads.scheduling.k8s.io": "kept and checked; groups are made of them by whoever owns them",
    "compositepodgroups.scheduling.k8s.io": "kept and checked; its PodGroups are placed one by one",
    "evictionrequests.lifecycle.k8s.io": "kept and checked; nobody evicts by them (`pods/eviction` works)",
    "evictions.lifecycle.k8s.io": "kept and checked; nobody evicts by them (`pods/eviction` works)",
    "podcertificaterequests.certificates.k8s.io": "made by kubelets for `podCertificate` volumes; no signer of ours answers them",
    "storageversions.internal.apiserver.k8s.io": "kept and checked; this server writes none, as there is one",
    "leasecandidates.coordination.k8s.io": "kept and checked; no election is coordinated by them",
}

# Of the protocol.
ALWAYS_MISSING = (
    "Bodies (415) and answers (406) in CBOR. Protobuf is read, and written for clients that take nothing else.",
    "Subresources and columns that a release before 1.37 does not have are there under `--kubernetes-version`, too.",
    "Betas of older releases whose fields have other names than those of the stable version.",
)

_NO_KINDS = frozenset(("APIGroup", "APIVersions", "DeleteOptions", "Scale", "Status", "TokenRequest", "WatchEvent"))
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def document() -> str:
    rows = [*kinds.BUILTIN, *review_kinds.KINDS, *resource_metrics.KINDS]
    return "\n".join([*_head(rows), *_groups(rows), *_missing(rows)]) + "\n"


def _head(rows: list[Kind]) -> Iterator[str]:
    yield "# The API"
    yield ""
    yield "Made by `script/api-reference` from the table of kinds; do not edit."
    yield ""
    stored = len({(row.stored.group, row.stored.plural) for row in rows})
    yield (
        f"{stored} kinds in {len({row.group for row in rows})} groups, as release 1.{releases.NEWEST_MINOR} has them. Each answers "
        "GET, POST, PUT, PATCH (JSON, merge, strategic merge, apply) and DELETE by its verbs, takes YAML and JSON, "
    )
    yield (
        "`dryRun`, `fieldValidation`, `fieldManager` and `pretty`, and shows itself whole, as Table or as PartialObjectMetadata. "
        "What is not supported stands under Limits, and in the list at the end."
    )
    yield ""


def _groups(rows: list[Kind]) -> Iterator[str]:
    for group in sorted({row.group for row in rows}):
        yield f"## {group or 'core (/api/v1)'}"
        yield ""
        yield "| kind | versions | scope | names | verbs | subresources | selectable fields | limits |"
        yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
        plurals = sorted({row.plural for row in rows if row.group == group})
        for plural in plurals:
            yield _line([row for row in rows if (row.group, row.plural) == (group, plural)])
        yield ""


def _line(versions: list[Kind]) -> str:
    versions = sorted(versions, key=lambda row: version_priority(row.version))
    row = next((one for one in versions if one.storage is None), versions[0])
    named = [f"`{row.plural}`", *(f"`{name}`" for name in row.short_names), *(f"*{name}*" for name in row.categories)]
    fields = sorted(row.fields({"metadata": {}})) if row.fields is not None else []
    cells = (
        row.kind,
        ", ".join(_version(one) for one in versions),
        "namespace" if row.namespaced else "cluster",
        " ".join(named),
        _verbs(row.verbs),
        "<br>".join(_subresource(sub) for sub in sorted(row.subresources, key=lambda sub: sub.name)),
        " ".join(f"`{field}`" for field in fields),
        LIMITS.get(row.resource, ""),
    )
    return "| " + " | ".join(cells) + " |"


def _version(row: Kind) -> str:
    text = row.version
    if row.storage is not None:
        other_group = f" of {row.stored.group or 'core'}" if row.stored.group != row.group else ""
        text += f" (stored as {row.stored.version}{other_group})"
    return text + (f", deprecated in 1.{row.deprecation.since}" if row.deprecation is not None else "")


def _verbs(verbs: Iterable[str]) -> str:
    known = [verb for verb in _VERBS if verb in verbs]
    return "all" if len(known) == len(_VERBS) else ", ".join(known)


def _subresource(sub: Subresource) -> str:
    return f"`{sub.name}` ({', '.join(sub.verbs)})"


def _missing(rows: list[Kind]) -> Iterator[str]:
    yield "## Not supported"
    yield ""
    there = {(row.group, row.version, row.kind) for row in rows}
    subresources = {(sub.group, sub.kind) for row in rows for sub in row.subresources}
    for group, version, kind in sorted(schema.of_release().kinds()):
        is_list = kind.endswith("List")
        if (group, version, kind) in there or is_list or kind in _NO_KINDS or (group, kind) in subresources:
            continue
        yield f"- `{group}/{version} {kind}` is not served." if group else f"- `{version} {kind}` is not served."
    for text in ALWAYS_MISSING:
        yield f"- {text}"


if __name__ == "__main__":
    sys.stdout.write(document())
