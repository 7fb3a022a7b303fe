"""`create configmap`: keys and values from files, literals and environment files."""

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
    Flag("append-hash", BOOL, help="Put a hash of the content behind the name."),
    *sending.FLAGS,
)
USAGE = "NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    obj = generate(name, sending.namespace_of(call), call.flags, call.environment)
    await sending.send(call, obj, "configmaps", failed="failed to create configmap: ")


def generate(name: str, namespace: str, flags: Values, environment: Mapping[str, str]) -> Object:
    """Raises CommandError. Reads the files that the flags name."""
    if flags["from-env-file"] and (flags["from-file"] or flags["from-literal"]):
        raise CommandError("from-env-file cannot be combined with from-file or from-literal")
    texts: dict[str, str] = {}
    blobs: dict[str, str] = {}

    def add(key: str, value: bytes) -> None:
        wrong = names.config_key_errors(key)
        if wrong:
            raise CommandError(f'"{key}" is not a valid key name for a ConfigMap: {",".join(wrong)}')
        for field, values in (("Data", texts), ("BinaryData", blobs)):
            if key in values:
                raise CommandError(
                    f'cannot add key "{key}", another key by that name already exists in {field} for ConfigMap "{name}"'
                )
        text = sources.text_of(value)
        if text is None:
            blobs[key] = sources.base64_of(value)
        else:
            texts[key] = text

    sources.read(flags["from-literal"], flags["from-file"], flags["from-env-file"], add, environment)
    texts, blobs = dict(sorted(texts.items())), dict(sorted(blobs.items()))
    if flags["append-hash"]:
        name = f"{name}-{content_hash.of_config_map(name, texts, blobs)}"
    obj: Object = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": typed.metadata(name, namespace)}
    return obj | {field: values for field, values in (("data", texts), ("binaryData", blobs)) if values}
