"""Two pods of one node cannot have the same host port (for the same or for all addresses)."""

import collections

import numpy as np

from steersman.api import host_ports
from steersman.api.host_ports import HostPort
from steersman.scheduler.filters.check import Check
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot

FILTER = "NodePorts"
REASON = "node(s) didn't have free ports for the requested pod ports"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    return _Ports(shape, snapshot) if shape.host_ports else None


class _Ports:
    filter = FILTER

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        self.mask = np.ones(snapshot.rows, np.bool_)
        for port in shape.host_ports:
            self.mask[_rows_taken(snapshot, port)] = False

    def placed(self, row: int) -> bool:
        self.mask[row] = False
        return False

    def explain(self, rows: Rows) -> collections.Counter[str]:
        return collections.Counter({REASON: len(rows)})

    def hopeless(self, rows: Rows) -> int:
        return 0


def _rows_taken(snapshot: Snapshot, port: HostPort) -> list[int]:
    protocol, address, number = port
    in_use = snapshot.ports.get((protocol, number), {})
    return [row for row, addresses in in_use.items() if host_ports.overlap(address, addresses)]
