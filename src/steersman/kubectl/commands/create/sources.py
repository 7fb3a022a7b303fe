"""Keys and values of ConfigMaps and Secrets: `--from-file`, `--from-literal`, `--from-env-file`.

`parse_…` is pure; `read` looks into files. Raises CommandError with upstream's texts.
"""

import base64
import pathlib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from steersman.kubectl.problems import CommandError

_ENVIRONMENT_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_literal(source: str) -> tuple[str, str]:
    key, equals, value = source.partition("=")
    if not key or not equals:
        raise CommandError(f"invalid literal source {source}, expected key=value")
    return key, value


def parse_file_source(source: str) -> tuple[str, str]:
    """(key, path) of `key=path` or `path`."""
    key, equals, path = source.partition("=")
    if not equals:
        return posixpath.basename(source.rstrip("/")) or "/", source
    if "=" in path:
        raise CommandError("key names or file paths cannot contain '='")
    if not key:
        raise CommandError(f"key name for file path {path} missing")
    if not path:
        raise CommandError(f"file path for key name {key} missing")
    return key, path


def parse_environment(content: bytes, path: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The lines `NAME=value`; a NAME alone has its value from the environment."""
    for number, line in enumerate(content.split(b"\n"), 1):
        raw = line.removesuffix(b"\r")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            numbers = " ".join(map(str, raw))
            raise CommandError(f"env file {path} contains invalid utf8 bytes at line {number}: [{numbers}]") from None
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK.decode())
        text = text.lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        wrong = wrong_environment_name(name)
        if wrong:
            raise CommandError(f'"{name}" is not a valid key name: {";".join(wrong)}')
        yield name, value if equals else environment.get(name, "")


def wrong_environment_name(name: str) -> list[str]:
    """As clients of 1.33 check them; servers take more."""
    wrong = []
    if not _ENVIRONMENT_NAME.fullmatch(name):
        wrong.append(
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not "
            "start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is "
            "'[-._a-zA-Z][-._a-zA-Z0-9]*')"
        )
    if name in (".", ".."):
        wrong.append(f"must not be '{name}'")
    elif name.startswith(".."):
        wrong.append("must not start with '..'")
    return wrong


def read(
    literals: Iterable[str],
    files: Iterable[str],
    environment_files: Iterable[str],
    add: Callable[[str, bytes], None],
    environment: Mapping[str, str],
) -> None:
    """Hand every key and value to `add`, in upstream's order: literals are last but one, files first."""
    for source in files:
        _add_files(source, add)
    for source in literals:
        key, value = parse_literal(source)
        add(key, value.encode())
    for path in environment_files:
        found = pathlib.Path(path)
        _must_be_there(found, path)
        if found.is_dir():
            raise CommandError("env config file cannot be a directory")
        for key, value in parse_environment(found.read_bytes(), path, environment):
            add(key, value.encode())


def _add_files(source: str, add: Callable[[str, bytes], None]) -> None:
    key, path = parse_file_source(source)
    found = pathlib.Path(path)
    _must_be_there(found, path)
    if not found.is_dir():
        add(key, found.read_bytes())
        return
    if "=" in source:
        raise CommandError("cannot give a key name for a directory path")
    for item in sorted(found.iterdir()):
        if item.is_file() and not item.is_symlink():
            add(item.name, item.read_bytes())


def _must_be_there(found: pathlib.Path, path: str) -> None:
    try:
        found.stat()
    except OSError as wrong:
        raise CommandError(f"error reading {path}: {(wrong.strerror or str(wrong)).lower()}") from wrong


def text_of(value: bytes) -> str | None:
    """The value as text, or None where it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def base64_of(value: bytes) -> str:
    return base64.b64encode(value).decode()
