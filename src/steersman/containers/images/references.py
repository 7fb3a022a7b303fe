"""Names of images: `busybox` means `docker.io/library/busybox:latest`.

Source: the grammar of distribution/reference, and Docker's rules for short names.
"""

import dataclasses
import functools
import re

DEFAULT_DOMAIN = "docker.io"
OFFICIAL_PREFIX = "library/"
DEFAULT_TAG = "latest"
NAME_LENGTH_MAX = 255  # of the repository name; the grammar's own limit

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


class InvalidReference(ValueError):
    """The text names no image; the message is the one Docker and containerd give."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A normalised reference; `tag` is empty only where there is a digest."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def target(self) -> str:
        """What to ask the registry for: the digest where there is one."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Reference:
    """Raises InvalidReference."""
    if _IDENTIFIER.fullmatch(text):
        raise InvalidReference("invalid repository name, cannot specify 64-byte hexadecimal strings")
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise InvalidReference(_complaint(text))
    domain, path = _split_domain(found["name"])
    if len(f"{domain}/{path}") > NAME_LENGTH_MAX:
        raise InvalidReference(f"repository name must not be more than {NAME_LENGTH_MAX} characters")
    tag, digest = found["tag"] or "", found["digest"] or ""
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(domain, path, tag, digest)


def normalise(text: str) -> str:
    return str(parse(text))


def is_id(text: str) -> bool:
    """Whether this names an image by its config digest and not by a reference."""
    return text.startswith("sha256:") and len(text) == 71


def _split_domain(name: str) -> tuple[str, str]:
    """The first component is a registry when it has a dot, a port or capitals, or is `localhost`."""
    first, slash, rest = name.partition("/")
    is_domain = bool(slash) and (any(c in first for c in ".:[") or first == "localhost" or first != first.lower())
    if not is_domain:
        first, rest = DEFAULT_DOMAIN, name
    if first == "index.docker.io":
        first = DEFAULT_DOMAIN
    if first == DEFAULT_DOMAIN and "/" not in rest:
        rest = OFFICIAL_PREFIX + rest
    return first, rest


def _complaint(text: str) -> str:
    found = _REFERENCE.fullmatch(text.lower())
    if found is not None:
        path = _split_domain(text[: len(found["name"])])[1]
        return f"invalid reference format: repository name ({path}) must be lowercase"
    return "invalid reference format"
