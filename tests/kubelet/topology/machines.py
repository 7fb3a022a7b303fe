"""Machines on paper."""

from typing import Any

from steersman.kubelet.topology.hardware import Cpu, Hardware, NumaNode
from steersman.meta.objects import Object
from tests.kubelet import world

GIB = 1 << 30


def machine(
    sockets: int = 1,
    nodes: int = 1,
    cores: int = 4,
    threads: int = 1,
    *,
    cores_per_cache: int = 0,
    memory: int = 8 * GIB,
    pages: dict[str, int] | None = None,
    far: int = 20,
) -> Hardware:
    """`cores` and `nodes` of each socket. The first threads of all cores are numbered first, then the second ones. `far`: the
    distance between nodes, growing with the difference of their numbers."""
    cpus = {}
    whole = sockets * cores
    for core in range(whole):
        socket, within = divmod(core, cores)
        node = socket * nodes + within * nodes // cores
        cache = core // cores_per_cache if cores_per_cache else node
        for thread in range(threads):
            cpus[core + thread * whole] = Cpu(core, socket, node, cache)
    count = sockets * nodes
    distances = [{b: 10 if a == b else far + abs(a - b) for b in range(count)} for a in range(count)]
    return Hardware(cpus, {one: NumaNode(memory, pages or {}, distances[one]) for one in range(count)})


FLAT = machine(cores=8)
SMT = machine(cores=4, threads=2)  # cores (0,4) (1,5) (2,6) (3,7)
TWO_SOCKETS = machine(sockets=2, cores=4, threads=2)  # node 0: 0-3,8-11; node 1: 4-7,12-15
FOUR_NODES = machine(sockets=2, nodes=2, cores=4, threads=2)  # two nodes of two cores in each socket
CACHES = machine(cores=16, cores_per_cache=4)  # 0-3, 4-7, 8-11, 12-15


def asks(name: str, cpu: str, memory: str = "1Mi", **about: Any) -> Object:
    more = about.pop("more", {})
    amounts = {"cpu": cpu, "memory": memory, **more}
    return world.container(name, resources={"requests": amounts, "limits": amounts}, **about)


def pod(uid: str, *containers: Object, inits: list[Object] | None = None, **spec: Any) -> Object:
    made = world.pod(uid, containers=list(containers), inits=inits, **spec)
    made["metadata"]["uid"] = uid
    return made
