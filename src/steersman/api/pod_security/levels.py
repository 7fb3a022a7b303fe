"""Levels and their releases, and the policy that a namespace's labels set.

Source: "Pod Security Admission" in the Kubernetes documentation; texts as upstream's pod-security-admission/api.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from steersman.api.validation import fields
from steersman.meta.errors import FieldError

PREFIX = "pod-security.kubernetes.io/"
PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
LATEST = "latest"
_VERSION = re.compile(r"v1\.(0|[1-9]\d*)")


class Standard(NamedTuple):
    """A level as a release (`v1.30`) or the newest one (`latest`) has it."""

    level: str = PRIVILEGED
    version: str = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int | None:
        """None: the newest."""
        return None if self.version == LATEST else int(self.version.removeprefix("v1."))

    def is_stricter_than(self, other: "Standard") -> bool:
        return LEVELS.index(self.level) > LEVELS.index(other.level)


class Policy(NamedTuple):
    """What is refused, what is written down, and what is warned of."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()


DEFAULT = Policy()


def of_labels(labels: Mapping[str, str], default: Policy = DEFAULT) -> tuple[Policy, list[FieldError]]:
    """What cannot be read is restricted where it is enforced, and nothing where it is only told."""
    if not any(label.startswith(PREFIX) for label in labels):
        return default, []
    wrong: list[FieldError] = []
    found = [_standard(mode, labels, before, wrong) for mode, before in zip(Policy._fields, default, strict=True)]
    return Policy(*found), wrong


def _standard(mode: str, labels: Mapping[str, str], default: Standard, wrong: list[FieldError]) -> Standard:
    level, version = default
    if (text := labels.get(PREFIX + mode)) is not None:
        level = text
        if text not in LEVELS:
            level = RESTRICTED if mode == "enforce" else PRIVILEGED
            wrong.append(
                fields.invalid(f"metadata.labels[{PREFIX}{mode}]", text, f"must be one of {', '.join(LEVELS)}")
            )
    if (text := labels.get(f"{PREFIX}{mode}-version")) is not None:
        version = text
        if not is_version(text):
            version = LATEST
            wrong.append(fields.invalid(f"metadata.labels[{PREFIX}{mode}-version]", text, 'must be "latest" or "v1.x"'))
    return Standard(level, version)


def is_version(text: str) -> bool:
    return text == LATEST or _VERSION.fullmatch(text) is not None
