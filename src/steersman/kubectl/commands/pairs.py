"""`KEY=VALUE` and `KEY-` on a command line, and the verbs that set them: label and annotate share all but the words."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import BOOL, Flag, Values
from steersman.kubectl.merging import json_merge
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a map of texts. `field` is `labels` or `annotations`, `word` one of them."""

    word: str
    set: Mapping[str, str]
    remove: Sequence[str]
    resource_version: str = ""

    @property
    def field(self) -> str:
        return f"{self.word}s"

    def apply(self, obj: Object) -> Object:
        meta = obj.get("metadata") or {}
        kept = {key: value for key, value in (meta.get(self.field) or {}).items() if key not in self.remove}
        changed = {key: value for key, value in {**kept, **self.set}.items() if key not in self.remove}
        meta = {**meta, self.field: changed}
        if self.resource_version:
            meta["resourceVersion"] = self.resource_version
        return {**obj, "metadata": meta}


def flags(word: str, manager: str) -> tuple[Flag, ...]:
    return (
        Flag("all", BOOL, help="All resources of the types, in the namespace."),
        flags_shared.ALL_NAMESPACES,
        flags_shared.DRY_RUN,
        flags_shared.field_manager(manager),
        flags_shared.FIELD_SELECTOR,
        *flags_shared.filenames(f"identifying the resource to update the {word}s of"),
        Flag("list", BOOL, help=f"Show the {word}s."),
        Flag("local", BOOL, help="Do not ask the server; the objects come from files."),
        Flag("overwrite", BOOL, help=f"{word.title()}s that are there may be given another value."),
        record.FLAG,
        Flag("resource-version", help="Change it only while this is its resourceVersion; for a single resource."),
        flags_shared.SELECTOR,
        *flags_shared.PRINT,
    )


def split(arguments: Iterable[str], word: str) -> tuple[list[str], list[str]]:
    """(resources, pairs). Raises CommandError."""
    resources: list[str] = []
    pairs: list[str] = []
    for argument in arguments:
        if ("=" in argument and argument[0] != "=") or (argument.endswith("-") and argument != "-"):
            pairs.append(argument)
        elif pairs:
            raise CommandError(f"all resources must be specified before {word} changes: {argument}")
        else:
            resources.append(argument)
    return resources, pairs


def parse(arguments: Iterable[str], word: str, *, removable: bool = True) -> tuple[dict[str, str], list[str]]:
    """(what is set, what is removed). Raises CommandError."""
    new: dict[str, str] = {}
    remove: list[str] = []
    wrong: list[str] = []
    for argument in arguments:
        if "=" in argument and argument[0] != "=":
            key, _, value = argument.partition("=")
            new[key] = value
        elif removable and argument.endswith("-") and argument != "-":
            remove.append(argument[:-1])
        else:
            wrong.append(argument)
    if wrong:
        raise CommandError(f"invalid {word} format: {', '.join(wrong)}")
    return new, remove


def check(values: Values, change: Change, resources: Sequence[str], how: str, file: str) -> None:
    """Raises CommandError. `file` is the word for files in upstream's examples."""
    if values["all"] and values["selector"]:
        raise CommandError("cannot set --all and --selector at the same time")
    if values["all"] and values["field-selector"]:
        raise CommandError("cannot set --all and --field-selector at the same time")
    from_files = values["filename"] or values["kustomize"]
    if values["local"]:
        if how == writes.SERVER:
            raise CommandError("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
        named = f"-f {file}.yaml or --filename={file}.json"
        if resources:
            raise CommandError(f"can only use local files by {named} when --local=true is set")
        if not from_files:
            raise CommandError(f"one or more files must be specified as {named}")
    elif not resources and not from_files:
        raise CommandError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    if not change.set and not change.remove and not values["list"]:
        raise CommandError(f"at least one {change.word} update is required")


async def carry_out(
    call: Call,
    change: Change,
    resources: Sequence[str],
    *,
    refuse: Callable[[Object], None],
    operation: Callable[[Object, Object], str],
) -> None:
    """`refuse` raises where values would be overwritten; `operation` says in a word what was done."""
    values = call.flags
    how, local = writes.dry_run(call), values["local"]
    query = builder.from_flags(call, arguments=tuple(resources), keep_going=True, latest=not local, local=local)
    found = await builder.find(call, query)
    if values["resource-version"] and not found.is_single:
        raise CommandError("--resource-version may only be used with a single resource")

    async def one(info: Info) -> None:
        old = _without_version(info.object) if values["resource-version"] else info.object
        if how != writes.CLIENT and not local and not values["list"]:
            tell_missing(call, change, old)
        if not values["overwrite"]:
            refuse(old)
        new = change.apply(old)
        done = operation(old, new)
        if how != writes.CLIENT and not local and not values["list"]:
            new = record.recorded(call, new)
            body = json_merge.two_way(old, new)
            query = writes.parameters(how, manager=values["field-manager"])
            new = await writes.patch(call, info, writes.MERGE, body, query)
        if values["list"]:
            call.write(listing(info, new, change.field, single=found.is_single))
        else:
            call.write(printers.make(values, operation=writes.operation(done, how)).print(new))

    await found.visit(one)


def tell_missing(call: Call, change: Change, obj: Object) -> None:
    if change.word == "label":
        for key in change.remove:
            if key not in ((obj.get("metadata") or {}).get("labels") or {}):
                call.print(f'label "{key}" not found.')


def listing(info: Info, obj: Object, field: str, *, single: bool) -> str:
    pairs = sorted(((obj.get("metadata") or {}).get(field) or {}).items())
    if single:
        return "".join(f"{key}={value}\n" for key, value in pairs)
    head = f"Listing {field} for {info.resource.kind}.{info.resource.group}/{info.name}:\n"
    return head + "".join(f" {key}={value}\n" for key, value in pairs)


def _without_version(obj: Object) -> Object:
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "resourceVersion"}
    return {**obj, "metadata": meta}
