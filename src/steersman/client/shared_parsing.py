"""What the clients of one process are told, parsed once: the same bytes become the same object.

In one process with its API server, many caches hear of each change, and parsing it for each of them is most of what a change
costs. What comes out is shared by all: nobody may change it, as nobody changes what is in a cache.
"""

import collections
from typing import Any

import orjson

# The changes of some minutes: a cache may be some seconds behind another.
KEPT_MAX = 4096

_TYPE = b'{"type":"'
_OBJECT = b'","object":'
_TYPE_BYTES_MAX = 20


class SharedParsing:
    """`loads` in the place of `orjson.loads`."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[bytes, Any] = collections.OrderedDict()

    def loads(self, data: bytes) -> Any:
        """An object, or a line of a watch, which is parsed by its object. Raises JSONDecodeError."""
        if data.startswith(_TYPE):
            cut = data.find(_OBJECT, len(_TYPE), len(_TYPE) + _TYPE_BYTES_MAX)
            if cut > 0:
                value = data[cut + len(_OBJECT) : -1]
                return {"type": data[len(_TYPE) : cut].decode(), "object": self.loads(value)}
        found = self._kept.get(data)
        if found is None:
            found = self._kept[data] = orjson.loads(data)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found
