"""The hash of a ConfigMap's or Secret's content that stands behind its name, the same as upstream's and kustomize's. Pure."""

import hashlib
from typing import Any

from steersman.kubectl.merging import last_applied

_LENGTH = 10
# The digits that could make words are replaced.
_SAFE = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})


def of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH].translate(_SAFE)


def of_config_map(name: str, data: Any, binary_data: Any) -> str:
    """`data` as it is encoded: None where upstream's typed object has none."""
    content = {"kind": "ConfigMap", "name": name, "data": data}
    if binary_data:
        content["binaryData"] = binary_data
    return of_text(last_applied.encoded(content))


def of_secret(name: str, type_name: str, data: Any, string_data: Any = None) -> str:
    content = {"kind": "Secret", "type": type_name, "name": name, "data": data}
    if string_data:
        content["stringData"] = string_data
    return of_text(last_applied.encoded(content))
