"""Manifests that are named on the command line: files, folders, globs, URLs, standard input, kustomizations.

Source of what is read and in which order: cli-runtime's FilenameParam and its visitors.
"""

import glob
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from steersman.kubectl import problems
from steersman.kubectl.flags import Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from steersman.kubectl.call import Call

EXTENSIONS = (".json", ".yaml", ".yml")
_URL = re.compile(r"https?://").match


class Filenames(NamedTuple):
    names: tuple[str, ...] = ()
    kustomize: str = ""
    recursive: bool = False

    @property
    def given(self) -> bool:
        return bool(self.names or self.kustomize)

    @property
    def is_single(self) -> bool:
        """One file that is neither a folder nor standard input."""
        return not self.kustomize and len(self.names) == 1 and self.names[0] != "-" and not Path(self.names[0]).is_dir()


NONE = Filenames()


def from_flags(flags: Values) -> Filenames:
    """Of -f, -k and -R, where the verb has them. Raises CommandError."""
    found = Filenames(tuple(flags.get("filename", ())), flags.get("kustomize", ""), bool(flags.get("recursive", False)))
    if found.kustomize and found.names:
        raise CommandError("only one of -f or -k can be specified")
    if found.kustomize and found.recursive:
        raise CommandError("the -k flag can't be used with -f or -R")
    return found


def check(wanted: Filenames) -> None:
    """Look whether there is what is named, before anything is read. Raises CommandError, Several."""
    missing: list[Exception] = []
    for name in wanted.names:
        if name != "-" and not _URL(name):
            try:
                paths(name, wanted.recursive)
            except CommandError as problem:
                missing.append(problem)
    problems.raise_all(missing)


async def objects(
    call: "Call", wanted: Filenames, *, flatten: bool = True, validate: bool = False
) -> AsyncIterator[tuple[Object, str] | Exception]:
    """Each object with the name of where it was read; what cannot be read comes as the error it is."""
    if wanted.kustomize:
        from steersman.kubectl.kustomize import build

        for obj in build.objects(wanted.kustomize, call.write_error):
            yield obj, wanted.kustomize
        return
    for name in wanted.names:
        try:
            async for text, source in _texts(call, name, wanted.recursive):
                for obj in parse(text, source, flatten=flatten, validate=validate):
                    yield obj, source
        except CommandError as problem:
            yield problem


async def _texts(call: "Call", name: str, recursive: bool) -> AsyncIterator[tuple[bytes, str]]:
    if name == "-":
        yield call.streams.read(), "STDIN"
    elif _URL(name):
        yield await _download(name), name
    else:
        for path in paths(name, recursive):
            try:
                yield Path(path).read_bytes(), path
            except OSError as problem:
                raise CommandError(f"open {path}: {(problem.strerror or str(problem)).lower()}") from problem


def paths(name: str, recursive: bool) -> list[str]:
    """A file, the manifests in a folder, or what a pattern matches. Raises CommandError."""
    path = Path(name)
    if path.is_dir():
        found = [str(one) for one in _walk(path, recursive) if one.suffix in EXTENSIONS]
        if not found:
            raise CommandError(f"error reading [{name}]: recognized file extensions are [{' '.join(EXTENSIONS)}]")
        return found
    if path.exists():
        return [name]
    matches = sorted(glob.glob(name)) if glob.has_magic(name) else []  # noqa: PTH207 -- patterns come as texts
    if not matches:
        raise CommandError(f'the path "{name}" does not exist')
    return [one for match in matches for one in paths(match, recursive)]


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    for one in sorted(folder.iterdir()):
        if one.is_dir():
            if recursive:
                yield from _walk(one, recursive)
        else:
            yield one


async def _download(url: str) -> bytes:
    import asyncio
    import urllib.error
    import urllib.request

    def read() -> bytes:
        with urllib.request.urlopen(url) as answer:
            return bytes(answer.read())

    try:
        return await asyncio.to_thread(read)
    except urllib.error.HTTPError as refused:
        raise CommandError(
            f'unable to read URL "{url}", server reported {refused.code} {refused.reason}, status code={refused.code}'
        ) from refused
    except OSError as problem:
        if isinstance(getattr(problem, "reason", None), ConnectionRefusedError):
            host = url.partition("://")[2].partition("/")[0]
            raise CommandError(
                f"The connection to the server {host} was refused - did you specify the right host or port?", bare=True
            ) from problem
        raise CommandError(f'unable to read URL "{url}": {problem}') from problem


def parse(text: bytes, source: str, *, flatten: bool = True, validate: bool = False) -> Iterator[Object]:
    """Every object in a manifest, JSON or YAML; Lists taken apart when `flatten`. Raises CommandError."""
    for document in _documents(text, source):
        obj = _checked(document, source, validate)
        items = obj.get("items")
        if flatten and obj["kind"].endswith("List") and isinstance(items, list):
            yield from (_checked(item, source) for item in items)
        else:
            yield obj


def _documents(text: bytes, source: str) -> Iterator[Any]:
    if text.lstrip()[:1] == b"{":
        try:
            yield from _json(text.decode())
            return
        except json.JSONDecodeError as broken:
            if broken.pos >= len(text.rstrip()):
                raise CommandError(f"error parsing {source}: unexpected EOF") from broken
        except UnicodeDecodeError:
            pass
        # A flow mapping of YAML, perhaps.
    from steersman.kubectl import go_yaml

    try:
        for document in go_yaml.read_manifests(text):
            if document is not None:
                yield document
    except go_yaml.BadSeparator as broken:
        raise CommandError(f"error parsing {source}: {broken}") from broken
    except go_yaml.BadYaml as broken:
        raise CommandError(f"error parsing {source}: error converting YAML to JSON: {broken}") from broken


def _json(text: str) -> Iterator[Any]:
    """Values one after the other."""
    decoder = json.JSONDecoder()
    place = 0
    found = []
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        value, place = decoder.raw_decode(text, place)
        found.append(value)
    return iter(found)


def _checked(document: Any, source: str, validate: bool = False) -> Object:
    wrong = list(dict.fromkeys(_invalid(document))) if validate else []
    if wrong:
        raise _not_valid(source, wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    if not isinstance(document, dict):
        what = f"{_json_type(document)} into Go value of type unstructured.detector"
        raise CommandError(f'unable to decode "{source}": json: cannot unmarshal {what}')
    if not document.get("kind") or not isinstance(document["kind"], str):
        raw = json.dumps(document, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        raise CommandError(f"unable to decode \"{source}\": Object 'Kind' is missing in '{raw}'")
    why = next(_mistyped(document), "")
    if why:
        raise CommandError(f'unable to decode "{source}": json: cannot unmarshal {why}')
    if "metadata" in document and document["metadata"] is None:
        del document["metadata"]
    document.setdefault("apiVersion", "")  # the server has no such version, and says so
    return document


def _invalid(document: Any) -> Iterator[str]:
    """What upstream's validation says before the server is asked; of what a List holds, too."""
    if not isinstance(document, dict):
        yield "invalid object to validate"
        return
    version, kind = document.get("apiVersion"), document.get("kind")
    for field, value in (("apiVersion", version), ("kind", kind)):
        if not value:
            yield f"{field} not set"
        elif not isinstance(value, str):
            yield f"{field} isn't string type"
    if (version, kind) == ("v1", "List"):
        items = document.get("items")
        for item in items if isinstance(items, list) else [None]:
            yield from _invalid(item)


def _mistyped(document: Object) -> Iterator[str]:
    """What Go's decoder says of the fields that every object is known by."""
    version = document.get("apiVersion")
    if not isinstance(version, str | None):
        yield f"{_json_type(version)} into Go struct field metadataOnlyObject.apiVersion of type string"
    metadata = document.get("metadata")
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        yield f"{_json_type(metadata)} into Go struct field metadataOnlyObject.metadata of type v1.ObjectMeta"
        return
    for field in ("annotations", "generateName", "labels", "name", "namespace"):
        value = metadata.get(field)
        is_map = field in ("annotations", "labels")
        if is_map and isinstance(value, dict):
            values, wanted = list(value.values()), "string"
        elif is_map:
            values, wanted = [] if value is None else [value], "map[string]string"
        else:
            values, wanted = [value], "string"
        for one in values:
            if wanted != "string" or not isinstance(one, str | None):
                yield f"{_json_type(one)} into Go struct field ObjectMeta.metadata.{field} of type {wanted}"


def _not_valid(source: str, why: str) -> CommandError:
    return CommandError(
        f'error validating "{source}": error validating data: {why}; if you choose to ignore these errors, turn validation '
        "off with --validate=false"
    )


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return "number"
