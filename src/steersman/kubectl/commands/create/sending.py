"""What all generators of `create` share: the flags, the name, and sending the object."""

import contextlib
import json
from collections.abc import Callable, Iterator

from steersman.kubectl import flags_shared, printers, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.merging import last_applied
from steersman.kubectl.problems import CommandError, Exit, StatusError, UsageError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.DRY_RUN,
    flags_shared.field_manager("kubectl-create"),
    writes.SAVE_CONFIG,
    flags_shared.VALIDATE,
    *flags_shared.PRINT,
)


def name_of(call: Call) -> str:
    """The one argument. Raises UsageError."""
    return _only(call.arguments)


def name_and_command(call: Call) -> tuple[str, list[str]]:
    """The one argument before `--`, and what stands after. Raises UsageError."""
    if call.before_dash < 0:
        return _only(call.arguments), []
    return _only(call.arguments[: call.before_dash]), call.arguments[call.before_dash :]


def _only(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise UsageError(f"exactly one NAME is required, got {len(arguments)}")
    return arguments[0]


def require(call: Call, *flags: str) -> None:
    """Raises CommandError for flags that were not given."""
    missing = ", ".join(f'"{name}"' for name in flags if not call.flags.changed(name))
    if missing:
        raise CommandError(f"required flag(s) {missing} not set")


def namespace_of(call: Call) -> str:
    """What objects say of their namespace: nothing, where --namespace is not given."""
    return call.namespace if call.enforce_namespace else ""


def random_suffix(call: Call) -> Callable[[], str]:
    return call.clock.suffix


async def send(call: Call, obj: Object, resource: str, *, failed: str = "", annotated: bool = True) -> None:
    """Create it and print what came of it; `failed` stands before a refusal's message."""
    how, fields = writes.dry_run(call), writes.validation(call.flags)
    printer = printers.make(call.flags, operation=writes.operation("created", how), keep_order=True)
    if annotated and call.flags["save-config"]:
        obj = with_annotation(obj)
    if how != writes.CLIENT:
        found = (await call.discovery()).find(resource)
        info = Info(found, call.namespace if found.namespaced else "")
        query = writes.parameters(how, manager=call.flags["field-manager"], fields=fields)
        try:
            made = await writes.create(call, info, obj, query)
        except StatusError as refused:
            raise (CommandError(f"{failed}{refused}") if failed else refused) from refused
        obj = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **made}
    call.write(printer.print(obj))


def with_annotation(obj: Object) -> Object:
    """With itself, as a typed client writes it, in the annotation of apply."""
    text = json.dumps(obj, separators=(",", ":"), ensure_ascii=False)
    return _in_order(last_applied.with_text(obj, last_applied.escaped(text) + "\n"))


def _in_order(obj: Object) -> Object:
    """Annotations stand behind labels."""
    meta = dict(obj["metadata"])
    annotations = dict(sorted(meta.pop("annotations").items()))
    return {**obj, "metadata": {**meta, "annotations": annotations}}


async def resource_lookup(call: Call) -> Callable[[str, str], tuple[str, str]]:
    """The resource and group that the server has for a word. What is returned raises CommandError."""
    discovery = await call.discovery()

    def lookup(resource: str, group: str) -> tuple[str, str]:
        found = discovery.look_up(f"{resource}.{group}" if group else resource)
        if found is None:
            where = f' in group "{group}"' if group else ""
            raise Unknown(f'the server doesn\'t have a resource type "{resource}"{where}')
        return found.plural, found.group

    return lookup


def nothing_known(resource: str, group: str) -> tuple[str, str]:
    raise Unknown(f'the server doesn\'t have a resource type "{resource}"')


class Unknown(CommandError):
    """A type that the server does not serve."""


@contextlib.contextmanager
def said_plainly(call: Call) -> Iterator[None]:
    """kubectl says of unknown types here what they are, without "error: "."""
    try:
        yield
    except Unknown as unknown:
        call.write_error(f"{unknown}\n")
        raise Exit from unknown


def go_type(obj: Object) -> str:
    """What Go calls the type of a built-in object (`*v1.Pod`)."""
    return f"*{obj.get('apiVersion', '').rpartition('/')[2]}.{obj.get('kind', '')}"
