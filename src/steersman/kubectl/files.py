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
    if not isinstance(document, dict) and validate:
        raise _not_valid(source, "invalid object to validate")
    if not isinstance(document, dict):
        text = json.dumps(document)
        raise CommandError(f'unable to decode "{source}": json: cannot unmarshal {_go_type(text)}')
    missing = [f"{field} not set" for field in ("apiVersion", "kind") if not document.get(field)]
    if validate and missing:
        raise _not_valid(source, missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]")
    if not document.get("kind"):
        raw = json.dumps(document, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        raise CommandError(f"unable to decode \"{source}\": Object 'Kind' is missing in '{raw}'")
    document.setdefault("apiVersion", "")  # the server has no such version, and says so
    return document


def _not_valid(source: str, why: str) -> CommandError:
    return CommandError(
        f'error validating "{source}": error validating data: {why}; if you choose to ignore these errors, turn validation '
        "off with --validate=false"
    )


def _go_type(text: str) -> str:
    what = "array" if text[0] == "[" else "string" if text[0] == '"' else "bool" if text[0] in "tf" else "number"
    return f"{what} into Go value of type unstructured.detector"
