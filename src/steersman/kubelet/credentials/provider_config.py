"""What a CredentialProviderConfig says: programs that know logins, and for which images each is asked. Pure, but for `read`.

Source: kubelet.config.k8s.io/v1 and upstream's credentialprovider/plugin/config.go.
"""

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from steersman.api.validation import fields
from steersman.kubelet.credentials import keyring
from steersman.meta import names, times
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

KIND = "CredentialProviderConfig"
VERSIONS = tuple(f"kubelet.config.k8s.io/{one}" for one in ("v1", "v1beta1", "v1alpha1"))
PROTOCOL = "credentialprovider.kubelet.k8s.io/v1"
PROTOCOLS = (PROTOCOL, f"{PROTOCOL}alpha1", f"{PROTOCOL}beta1")
OF_TOKEN, OF_ACCOUNT = "Token", "ServiceAccount"  # what cached logins belong to
FILE_ENDINGS = (".json", ".yaml", ".yml")

_PROVIDER_FIELDS = frozenset(
    ("name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env", "tokenAttributes")
)
_TOKEN_FIELDS = frozenset(
    (
        "serviceAccountTokenAudience",
        "cacheType",
        "requireServiceAccount",
        "requiredServiceAccountAnnotationKeys",
        "optionalServiceAccountAnnotationKeys",
    )
)


class Malformed(ValueError):
    """The configuration is not to be used; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """A provider that is given a token of the pod's service account, and annotations of that account."""

    audience: str
    cache_type: str
    required: bool
    required_annotations: tuple[str, ...] = ()
    optional_annotations: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Provider:
    name: str
    patterns: tuple[str, ...]
    cache_seconds: float
    protocol: str = PROTOCOL
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    tokens: Tokens | None = None

    def is_for(self, image: str) -> bool:
        return any(keyring.matches(one, image) for one in self.patterns)


def read(path: str | Path, programs: str | Path) -> tuple[Provider, ...]:
    """Of a file, or of all files of a folder in the order of their names. Raises Malformed, OSError."""
    if not Path(programs).is_dir():
        raise Malformed(f"plugin binary directory {programs} did not exist")
    found: list[Object] = []
    for file in _files(Path(path)):
        for one in _providers_of(file):
            if any(one.get("name") == other.get("name") for other in found):
                raise Malformed(f'duplicate provider name "{one.get("name")}" found in configuration file(s)')
            found.append(one)
    if wrong := validate(found):
        texts = ", ".join(dict.fromkeys(map(str, wrong)))
        texts = texts if len(wrong) == 1 else f"[{texts}]"
        raise Malformed(f"failed to validate credential provider config: {texts}")
    for one in found:
        program = Path(programs) / one["name"]
        if not program.exists():
            raise Malformed(f"plugin binary executable {program} did not exist")
        if shutil.which(program) is None:
            raise Malformed(f'error inspecting binary executable {program}: exec: "{program}": permission denied')
    return tuple(map(parse, found))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in FILE_ENDINGS and not one.is_dir())
    if not found:
        raise Malformed(f'no configuration files found in directory "{path}"')
    return found


def _providers_of(file: Path) -> list[Object]:
    try:
        whole = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise Malformed(f'error decoding config "{file}": {problem}') from problem
    if not isinstance(whole, dict) or whole.get("apiVersion") not in VERSIONS or whole.get("kind") != KIND:
        raise Malformed(f'error decoding config "{file}": not a {KIND} of {VERSIONS[0]}')
    providers = whole.get("providers") or []
    if not isinstance(providers, list) or not all(isinstance(one, dict) for one in providers):
        raise Malformed(f'error decoding config "{file}": providers is not a list of objects')
    unknown = [f'"{name}"' for name in whole.keys() - {"apiVersion", "kind", "providers"}]
    for number, one in enumerate(providers):
        unknown += _unknown(f"providers[{number}]", one, _PROVIDER_FIELDS)
        unknown += _unknown(f"providers[{number}].tokenAttributes", one.get("tokenAttributes") or {}, _TOKEN_FIELDS)
    if unknown:
        raise Malformed(f'error decoding config "{file}": strict decoding error: unknown field {", ".join(unknown)}')
    return list(providers)


def _unknown(path: str, found: Object, known: frozenset[str]) -> list[str]:
    return [f'"{path}.{name}"' for name in sorted(found.keys() - known)]


def validate(providers: Iterable[Object]) -> list[FieldError]:
    """Of all providers; none is wrong, too."""
    found, seen = [], set[str]()
    path = "providers"
    for one in providers:
        name = str(one.get("name") or "")
        found += _name(f"{path}.name", name, seen)
        seen.add(name)
        found += _protocol(f"{path}.apiVersion", one.get("apiVersion"))
        if not one.get("matchImages"):
            found.append(fields.required(f"{path}.matchImages", "at least 1 item in matchImages is required"))
        for pattern in one.get("matchImages") or ():
            try:
                keyring.split(str(pattern))
            except keyring.Malformed as wrong:
                found.append(fields.invalid(f"{path}.matchImages", pattern, f"match image is invalid: {wrong}"))
        found += _cache(f"{path}.defaultCacheDuration", one.get("defaultCacheDuration"))
        if one.get("tokenAttributes") is not None:
            found += _tokens(f"{path}.tokenAttributes", one["tokenAttributes"], str(one.get("apiVersion")))
    return found if seen else [fields.required(path, "at least 1 item in plugins is required")]


def _name(path: str, name: str, seen: set[str]) -> list[FieldError]:
    found = [
        fields.invalid(path, name, f"provider name cannot {text}")
        for wrong, text in (
            ("/" in name, "contain '/'"),
            (" " in name, "contain spaces"),
            (name == ".", "be '.'"),
            (name == "..", "be '..'"),
        )
        if wrong
    ]
    return [*found, fields.duplicate(path, name)] if name in seen else found


def _protocol(path: str, version: Any) -> list[FieldError]:
    if not version:
        return [fields.required(path, "")]
    return [] if version in PROTOCOLS else [fields.not_supported(path, version, PROTOCOLS)]


def _cache(path: str, text: Any) -> list[FieldError]:
    if text is None:
        return [fields.required(path, "")]
    try:
        seconds = times.parse_duration(str(text))
    except ValueError as wrong:
        return [fields.invalid(path, text, str(wrong))]
    return (
        []
        if seconds >= 0
        else [fields.invalid(path, text, f"{path.rpartition('.')[2]} must be greater than or equal to 0")]
    )


def _tokens(path: str, found: Object, protocol: str) -> list[FieldError]:
    wrong = []
    if not found.get("serviceAccountTokenAudience"):
        wrong.append(fields.required(f"{path}.serviceAccountTokenAudience", ""))
    is_required = found.get("requireServiceAccount")
    if is_required is None:
        wrong.append(fields.required(f"{path}.requireServiceAccount", ""))
    if protocol != PROTOCOL:
        wrong.append(fields.forbidden(path, f"tokenAttributes is only supported for {PROTOCOL} API version"))
    required, optional = (found.get(f"{one}ServiceAccountAnnotationKeys") or () for one in ("required", "optional"))
    if is_required is False and required:
        text = "requireServiceAccount cannot be false when requiredServiceAccountAnnotationKeys is set"
        wrong.append(fields.forbidden(f"{path}.requiredServiceAccountAnnotationKeys", text))
    wrong += _annotations(f"{path}.requiredServiceAccountAnnotationKeys", required)
    wrong += _annotations(f"{path}.optionalServiceAccountAnnotationKeys", optional)
    if both := sorted(set(required) & set(optional)):
        wrong.append(fields.invalid(path, both, "annotation keys cannot be both required and optional"))
    kinds, kind = (OF_ACCOUNT, OF_TOKEN), found.get("cacheType")
    if not kind:
        text = f"cacheType is required to be set when tokenAttributes is specified. Supported values are: {', '.join(kinds)}"
        wrong.append(fields.required(f"{path}.cacheType", text))
    elif kind not in kinds:
        wrong.append(fields.not_supported(f"{path}.cacheType", kind, kinds))
    return wrong


def _annotations(path: str, keys: Iterable[str]) -> list[FieldError]:
    wrong, seen = [], set[str]()
    for key in keys:
        wrong += [fields.invalid(path, key, text) for text in names.qualified_name_errors(key.lower())]
        if key in seen:
            wrong.append(fields.duplicate(path, key))
        seen.add(key)
    return wrong


def parse(found: Object) -> Provider:
    """Of what `validate` takes."""
    of_tokens, tokens = found.get("tokenAttributes"), None
    if of_tokens is not None:
        tokens = Tokens(
            of_tokens["serviceAccountTokenAudience"],
            of_tokens["cacheType"],
            of_tokens["requireServiceAccount"],
            tuple(of_tokens.get("requiredServiceAccountAnnotationKeys") or ()),
            tuple(of_tokens.get("optionalServiceAccountAnnotationKeys") or ()),
        )
    return Provider(
        found["name"],
        tuple(found["matchImages"]),
        times.parse_duration(str(found["defaultCacheDuration"])),
        found["apiVersion"],
        tuple(map(str, found.get("args") or ())),
        tuple((one["name"], str(one.get("value", ""))) for one in found.get("env") or ()),
        tokens,
    )
