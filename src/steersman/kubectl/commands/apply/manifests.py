"""`apply`: every object of the files is made or changed to what they say; what they no longer name may be pruned."""

import dataclasses
from typing import Any

from steersman.kubectl import builder, flags_shared, printers, record, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.commands import deletion
from steersman.kubectl.commands.apply import patching, pruning, server_side
from steersman.kubectl.flags import BOOL, DURATION, INT, STRINGS, Flag, Values
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, Several, StatusError, UsageError, raise_all
from steersman.meta.objects import Object

CLIENT_SIDE = "kubectl-client-side-apply"

FLAGS = (
    Flag("all", BOOL, help="All resources of the kinds that are pruned, in the namespace."),
    deletion.CASCADE,
    flags_shared.DRY_RUN,
    flags_shared.field_manager(CLIENT_SIDE),
    *flags_shared.filenames("that contains the configuration to apply"),
    Flag(
        "force", BOOL, help="Delete and create anew what cannot be changed. With a grace period of 0 data may be lost."
    ),
    Flag("force-conflicts", BOOL, help="With --server-side: change also what others own."),
    Flag(
        "grace-period", INT, -1, help="Seconds for an orderly end of what is deleted; less than 0: what it says itself."
    ),
    Flag("openapi-patch", BOOL, True, help="Take the patch strategies from the server's OpenAPI."),
    Flag("overwrite", BOOL, True, help="What others changed meanwhile becomes what the files say."),
    Flag("prune", BOOL, help="Delete what was applied before and is no longer in the files. Needs -l or --all."),
    Flag("prune-allowlist", STRINGS, help="The only kinds to prune, as <group/version/kind>; may be given again."),
    record.FLAG,
    flags_shared.SELECTOR,
    Flag("server-side", BOOL, help="Let the server apply."),
    flags_shared.SUBRESOURCE,
    Flag("timeout", DURATION, help="How long to wait for deletions; 0 stands for a time that fits the objects' size."),
    Flag("wait", BOOL, help="Wait until what is deleted is gone."),
    flags_shared.VALIDATE,
    *flags_shared.PRINT,
)
USAGE = "(-f FILENAME | -k DIRECTORY)"
HELP = """Apply a configuration to a resource by file name or stdin.

What is not there yet is created. What is there is changed where the files changed since the last time: what others set stays.
"""
EXAMPLES = """
# What a file says
{program} apply -f ./pod.json

# A kustomization
{program} apply -k dir/

# What another program prints
cat pod.json | {program} apply -f -

# And delete what the file no longer names
{program} apply --prune -f manifest.yaml -l app=nginx
"""


@dataclasses.dataclass(slots=True)
class Run:
    """One run: what all objects share, and what has been seen."""

    call: Call
    how: str
    manager: str
    fields: str
    cascade: str
    visited: set[str] = dataclasses.field(default_factory=set)
    namespaces: set[str] = dataclasses.field(default_factory=set)

    @property
    def flags(self) -> Values:
        return self.call.flags

    @property
    def prints_objects(self) -> bool:
        return self.flags["output"] not in ("", "name")

    @property
    def query(self) -> dict[str, str]:
        return writes.parameters(self.how, manager=self.manager, fields=self.fields)

    def seen(self, info: Info) -> None:
        self.visited.add((info.object.get("metadata") or {}).get("uid", ""))
        if info.resource.namespaced:
            self.namespaces.add(info.namespace)

    def say(self, info: Info, done: str) -> None:
        if not self.prints_objects:
            operation = writes.operation(done, self.how)
            self.call.write(printers.make(self.flags, operation=operation).print(info.object))


async def run(call: Call) -> None:
    apply = complete(call)
    printers.make(call.flags)
    if apply.flags["prune"]:
        pruned = await pruning.allowed(call, call.flags["prune-allowlist"])
    if call.enforce_namespace:
        apply.namespaces.add(call.namespace)
    found = await builder.find(
        call, builder.from_flags(call, keep_going=True, validate=apply.fields != "Ignore", arguments=())
    )
    infos, error = await found.collected()
    problems: list[Exception] = list(error.errors) if isinstance(error, Several) else [error] if error else []
    if not infos and not problems:
        raise CommandError("no objects passed to apply")
    for info in infos:
        try:
            await _one(apply, info)
        except (CommandError, StatusError) as problem:
            problems.append(problem)
    raise_all(problems)
    if apply.prints_objects:
        call.write(printers.make(call.flags, keep_order=len(infos) > 1).print(_listed(infos)))
    if apply.flags["prune"]:
        await pruning.prune(apply.call, pruned, apply.visited, apply.namespaces, apply.how)


def complete(call: Call) -> Run:
    """The flags as they are meant. Raises CommandError, UsageError."""
    flags = call.flags
    if call.arguments:
        raise UsageError(f"Unexpected args: [{' '.join(call.arguments)}]")
    how = writes.dry_run(call)
    if flags["force-conflicts"] and not flags["server-side"]:
        raise CommandError("--force-conflicts only works with --server-side")
    if how == writes.CLIENT and flags["server-side"]:
        raise CommandError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
    if flags["subresource"] and not flags["server-side"]:
        raise CommandError("--subresource can only be specified for --server-side")
    cascade = deletion.cascade(flags)
    if not flags["filename"] and not flags["kustomize"]:
        raise CommandError("must specify one of -f and -k")
    fields = writes.validation(flags)
    manager = flags["field-manager"]
    if flags["server-side"] and not flags.changed("field-manager"):
        manager = server_side.MANAGER
    check(call, how)
    return Run(call, how, manager, fields, cascade)


def check(call: Call, how: str) -> None:
    """Raises CommandError."""
    flags = call.flags
    if flags["force"] and flags["server-side"]:
        raise CommandError("--force cannot be used with --server-side")
    if flags["force"] and how == writes.SERVER:
        raise CommandError("--dry-run=server cannot be used with --force")
    if flags["all"] and flags["selector"]:
        raise CommandError("cannot set --all and --selector at the same time")
    if flags["prune"] and not flags["all"] and not flags["selector"]:
        raise CommandError(
            "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. "
            "If you did not mean to prune all resources, specify a label selector"
        )


async def _one(apply: Run, info: Info) -> None:
    """Raises CommandError, StatusError."""
    if info.resource.namespaced:
        apply.namespaces.add(info.namespace)
    info.object = record.recorded(apply.call, info.object)
    prefix = (info.object.get("metadata") or {}).get("generateName")
    if not info.name and prefix:
        raise CommandError(f"from {prefix}: cannot use generate name with apply")
    if apply.flags["server-side"]:
        await server_side.apply(apply.call, info, apply.query)
        apply.seen(info)
        apply.say(info, "serverside-applied")
        return
    wanted = last_applied.annotated(info.object)
    live = await _live(apply.call, info)
    if live is None:
        await _create(apply, info, wanted)
        return
    info.refresh(live)
    apply.seen(info)
    if apply.how == writes.CLIENT:
        apply.say(info, "configured")
        return
    if last_applied.of(live) is None:
        apply.call.write_error(patching.missing(info, apply.call.program))
    patch, obj = await patching.patch(apply.call, info, wanted, apply.query, cascade=apply.cascade)
    info.refresh(obj)
    patching.warn_if_deleting(apply.call, obj)
    apply.say(info, "configured" if patch else "unchanged")


async def _live(call: Call, info: Info) -> Object | None:
    """The object as the server has it. Raises StatusError, CommandError."""
    try:
        found: Object = await call.ask("GET", info.path)
    except (CommandError, StatusError) as refused:
        if writes.is_status(refused, "NotFound"):
            return None
        what = f"retrieving current configuration of:\n{patching.full_name(info)}\nfrom server for:"
        raise writes.with_source(what, info.source, refused) from refused
    return found


async def _create(apply: Run, info: Info, wanted: Object) -> None:
    if apply.how == writes.CLIENT:
        info.object = wanted
    else:
        try:
            info.refresh(await writes.create(apply.call, info, wanted, apply.query))
        except StatusError as refused:
            raise writes.with_source("creating", info.source, refused) from refused
    apply.seen(info)
    apply.say(info, "created")


def _listed(infos: list[Info]) -> Object:
    """What is printed of several objects."""
    if len(infos) == 1:
        return infos[0].object
    items = [_in_order(info.object) for info in infos]
    return {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}


def _in_order(value: Any) -> Any:
    """With sorted keys: only the List around the objects is printed as upstream's typed one."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value
