"""`create secret generic`: keys and values from files, literals and environment files, kept in base64."""

from collections.abc import Mapping

from steersman.kubectl import content_hash
from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import sending, sources, typed
from steersman.kubectl.flags import BOOL, STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta import names
from steersman.meta.objects import Object

FLAGS = (
    Flag("from-file", STRINGS, help="A file, or KEY=FILE; of a folder every file whose name can be a key."),
    Flag("from-literal", STRINGS, help="A key and its value: KEY=VALUE."),
    Flag("from-env-file", STRINGS, help="A file of lines KEY=VALUE, each of which becomes a key."),
    Flag("type", help="The type of the secret."),
    Flag("append-hash", BOOL, help="Put a hash of the content behind the name."),
    *sending.FLAGS,
)
USAGE = "NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    obj = generate(name, sending.namespace_of(call), call.flags, call.environment)
    await sending.send(call, obj, "secrets", failed="failed to create secret ")


def generate(name: str, namespace: str, flags: Values, environment: Mapping[str, str]) -> Object:
    """Raises CommandError. Reads the files that the flags name."""
    if flags["from-env-file"] and (flags["from-file"] or flags["from-literal"]):
        raise CommandError("from-env-file cannot be combined with from-file or from-literal")
    data: dict[str, str] = {}
    sources.read(
        flags["from-literal"],
        flags["from-file"],
        flags["from-env-file"],
        lambda key, value: add(data, key, value),
        environment,
    )
    return secret(name, namespace, flags["type"], data, append_hash=flags["append-hash"])


def add(data: dict[str, str], key: str, value: bytes) -> None:
    wrong = names.config_key_errors(key)
    if wrong:
        raise CommandError(f'"{key}" is not valid key name for a Secret {";".join(wrong)}')
    if key in data:
        raise CommandError(f"cannot add key {key}, another key by that name already exists")
    data[key] = sources.base64_of(value)


def secret(name: str, namespace: str, type_name: str, data: dict[str, str], *, append_hash: bool) -> Object:
    data = dict(sorted(data.items()))
    if append_hash:
        name = f"{name}-{content_hash.of_secret(name, type_name, data)}"
    obj: Object = {"kind": "Secret", "apiVersion": "v1", "metadata": typed.metadata(name, namespace)}
    return obj | {field: found for field, found in (("data", data), ("type", type_name)) if found}
