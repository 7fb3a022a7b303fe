"""`set env`: environment variables of containers: set, removed, listed, or taken from a ConfigMap or Secret."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from steersman.kubectl import builder, writes
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sources
from steersman.kubectl.commands.set import references, updating
from steersman.kubectl.flags import BOOL, LIST, STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_NO_NAME = re.compile(r"[^a-zA-Z0-9_]")

FLAGS = (
    *updating.FLAGS,
    Flag("containers", short="c", default="*", help="The containers whose names match; * stands for any letters."),
    Flag("env", STRINGS, short="e", help="A variable to set, KEY=VALUE; may be given again."),
    Flag("from", help="The ConfigMap or Secret to take variables from (configmap/NAME)."),
    Flag("keys", LIST, help="Only these of its keys."),
    Flag("list", BOOL, help="Show the variables."),
    Flag("overwrite", BOOL, True, help="Variables that are there may be given another value."),
    Flag("prefix", help="What stands before the names of the variables."),
    Flag("resolve", BOOL, help="With --list: show what references come to."),
)
USAGE = "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N"
HELP = "Update environment variables on a pod template. KEY- removes one, - reads lines KEY=VALUE from standard input."
EXAMPLES = """
# Set one
{program} set env deployment/registry STORAGE_DIR=/local

# All there are
{program} set env deployment/registry --list

# From a secret
{program} set env --from=secret/mysecret deployment/myapp
"""


async def run(call: Call) -> None:
    flags = call.flags
    how = writes.dry_run(call)
    if flags["all"] and flags["selector"]:
        raise CommandError("cannot set --all and --selector at the same time")
    resources, given = split(call.arguments)
    check(flags, how, resources)
    new, remove = parse((*flags["env"], *given), call)
    if flags["from"]:
        new += await _from(call, flags["from"], flags["keys"])
    if flags["prefix"]:
        new = [{**variable, "name": flags["prefix"] + variable["name"]} for variable in new]
    infos = await updating.find(call, resources)
    if flags["list"]:
        for info in infos:
            await _list(call, info.object, new, remove)
        return

    def change(obj: Object) -> None:
        spec = updating.pod_spec(obj)
        found = updating.containers(spec, flags["containers"])
        if not found:
            name = obj["metadata"].get("name", "")
            call.write_error(
                f'Warning: {obj["kind"]}/{name} does not have any containers matching "{flags["containers"]}"\n'
            )
        for container in found:
            if not flags["overwrite"]:
                no_overwrites(container.get("env") or (), new)
            set_variables(container, new, remove)

    update = updating.Update(change, "env updated", "failed to patch env update to pod template: ")
    await updating.update(call, infos, update)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(resources, variables). Raises CommandError."""
    resources: list[str] = []
    given: list[str] = []
    for argument in arguments:
        if "=" in argument or argument.endswith("-"):
            given.append(argument)
        elif given:
            raise CommandError(f"all resources must be specified before environment changes: {' '.join(arguments)}")
        else:
            resources.append(argument)
    return resources, given


def check(flags: Values, how: str, resources: Sequence[str]) -> None:
    """Raises CommandError."""
    if flags["local"] and how == writes.SERVER:
        raise CommandError(updating.NO_LOCAL_SERVER)
    if not flags["filename"] and not resources:
        raise CommandError(updating.NEEDS_RESOURCES)
    if flags["list"] and flags["output"]:
        raise CommandError("--list and --output may not be specified together")
    if flags["keys"] and not flags["from"]:
        raise CommandError("when specifying --keys, a configmap or secret must be provided with --from")


def parse(given: Iterable[str], call: Call) -> tuple[list[Object], list[str]]:
    """(variables to set, names to remove). Raises CommandError."""
    new: list[Object] = []
    remove: list[str] = []
    for text in given:
        if text == "-":
            read = sources.parse_environment(call.streams.read(), "", call.environment)
            new += [_variable(name, value) for name, value in read]
        elif "=" in text:
            name, _, value = text.partition("=")
            wrong = sources.wrong_environment_name(name)
            if wrong:
                raise CommandError(f'"{name}" is not a valid key name: {";".join(wrong)}')
            new.append(_variable(name, value))
        elif text.endswith("-"):
            remove.append(text[:-1])
        else:
            raise CommandError(f"unknown environment variable: {text}")
    if any(variable["name"] in remove for variable in new):
        raise CommandError("can not both modify and remove the same environment variable in the same command")
    return new, remove


def _variable(name: str, value: str) -> Object:
    return {"name": name} | ({"value": value} if value else {})


def no_overwrites(existing: Iterable[Object], new: Iterable[Object]) -> None:
    """Raises CommandError."""
    there = {variable["name"]: variable for variable in existing}
    for variable in new:
        if variable["name"] in there:
            value = there[variable["name"]].get("value", "")
            raise CommandError(f"'{variable['name']}' already has a value ({value}), and --overwrite is false")


def set_variables(container: Object, new: Sequence[Object], remove: Sequence[str]) -> None:
    """Those that are there keep their places."""
    last = {variable["name"]: variable for variable in reversed(new)}
    kept = [variable for variable in container.get("env") or () if variable["name"] not in remove]
    names = {variable["name"] for variable in kept}
    found = [last.get(variable["name"], variable) for variable in kept]
    found += [variable for name, variable in {one["name"]: one for one in new}.items() if name not in names]
    if found or container.get("env"):
        container["env"] = found


async def _from(call: Call, source: str, keys: Sequence[str]) -> list[Object]:
    """A variable for each key, which refers to it. Raises CommandError."""
    query = builder.from_flags(call, arguments=(source,), latest=True, keep_going=True)
    variables: list[Object] = []
    for info in await (await builder.find(call, query)).infos():
        field = {"Secret": "secretKeyRef", "ConfigMap": "configMapKeyRef"}.get(info.resource.kind)
        if field is None:
            raise CommandError("unsupported resource specified in --from")
        for key in sorted(info.object.get("data") or {}):
            if not keys or key in keys:
                name = _NO_NAME.sub("_", key).upper()
                if name != key:
                    call.write_error(f"Warning: key {key} transferred to {name}\n")
                variables.append({"name": name, "valueFrom": {field: {"name": info.name, "key": key}}})
    return variables


async def _list(call: Call, obj: Object, new: Sequence[Object], remove: Sequence[str]) -> None:
    """Raises CommandError where a reference cannot be resolved."""
    unresolved = False
    name = obj["metadata"].get("name", "")
    try:
        found = updating.containers(updating.pod_spec(obj), call.flags["containers"])
    except CommandError:
        return
    for container in found:
        container = {**container}
        set_variables(container, new, remove)
        call.print(f"# {obj['kind']} {name}, container {container['name']}")
        wrong: dict[str, list[str]] = {}
        for variable in container.get("env") or ():
            text, problem = await _shown(call, variable, obj, container)
            call.print(text)
            if problem:
                wrong.setdefault(problem, []).append(variable["name"])
        unresolved = unresolved or bool(wrong)
        for text in sorted(
            f"error retrieving reference for {', '.join(sorted(names))}: {why}" for why, names in wrong.items()
        ):
            call.write_error(f"{text}\n")
    if unresolved:
        raise CommandError("failed to retrieve valueFrom references")


async def _shown(call: Call, variable: Object, obj: Object, container: Object) -> tuple[str, str]:
    """(the line, why a reference could not be resolved)"""
    source: Mapping[str, Any] | None = variable.get("valueFrom")
    if source is None:
        return f"{variable['name']}={variable.get('value', '')}", ""
    line = f"# {variable['name']} from {references.text(source)}"
    if not call.flags["resolve"]:
        return line, ""
    try:
        return f"{variable['name']}={await references.value(call, source, obj, container)}", ""
    except references.Unresolved as why:
        return line, str(why)
