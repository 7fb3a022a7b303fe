"""Pod specs that were found valid lately: the next pod of the same template is not looked at from its first field again.

Keeps true: it changes no answer. A spec is known by all its bytes but the random name of the volume that admission adds to each
pod: another name of as many letters and digits, wherever it stands, makes nothing valid or invalid.
"""

import re

import orjson

from steersman.meta.objects import Object

# As many templates as a busy cluster makes pods of at one time, and 4 MB at most.
SPECS_MAX = 256
SPEC_BYTES_MAX = 16_384

_TOKEN_VOLUME = re.compile(rb'"kube-api-access-[a-z0-9]{5}"')
_NAME = b"\0"  # stands in no JSON


class KnownSpecs:
    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}

    def __contains__(self, shape: bytes) -> bool:
        return shape in self._known

    def add(self, shape: bytes) -> None:
        if 0 < len(shape) <= SPEC_BYTES_MAX:
            self._known[shape] = None
            if len(self._known) > SPECS_MAX:
                del self._known[next(iter(self._known))]


def shape_of(spec: Object) -> bytes:
    """What it is known by; empty where it is none that JSON has."""
    try:
        shape = orjson.dumps(spec)
    except orjson.JSONEncodeError:
        return b""
    found = _TOKEN_VOLUME.search(shape)
    return shape.replace(found[0], _NAME) if found else shape
