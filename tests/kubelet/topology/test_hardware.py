"""What /sys tells of a machine."""

from pathlib import Path

import pytest

from steersman.kubelet.topology import hardware
from steersman.kubelet.topology.hardware import Cpu


def test_read_from_sys(tmp_path: Path) -> None:
    def write(path: str, text: str) -> None:
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{text}\n")

    for cpu in range(4):
        write(f"cpu/cpu{cpu}/topology/thread_siblings_list", f"{cpu % 2},{cpu % 2 + 2}")
        write(f"cpu/cpu{cpu}/topology/physical_package_id", str(cpu % 2))
        write(f"cpu/cpu{cpu}/cache/index0/level", "1")
        write(f"cpu/cpu{cpu}/cache/index3/level", "3")
        write(f"cpu/cpu{cpu}/cache/index3/id", str(cpu % 2 + 7))
    for node in range(2):
        write(f"node/node{node}/cpulist", f"{node},{node + 2}")
        write(f"node/node{node}/meminfo", f"Node {node} MemTotal:       2048 kB\nNode {node} MemFree: 1 kB")
        write(f"node/node{node}/distance", "10 21" if node == 0 else "21 10")
        write(f"node/node{node}/hugepages/hugepages-2048kB/nr_hugepages", "3")
    found = hardware.of_machine(range(4), 0, tmp_path)
    assert found.cpus == {cpu: Cpu(cpu % 2, cpu % 2, cpu % 2, cpu % 2 + 7) for cpu in range(4)}
    assert found.cpus_per_core == 2
    assert found.nodes[1].memory_bytes == 2048 * 1024
    assert found.nodes[1].huge_pages == {"hugepages-2Mi": 6 << 20}
    assert found.mean_distance(frozenset({0, 1})) == 15.5


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = hardware.of_machine([0, 1], 1 << 30, tmp_path)
    assert found.cpus == {0: Cpu(0), 1: Cpu(1)}
    assert found.nodes[0].memory_bytes == 1 << 30


@pytest.mark.parametrize("text", ["", "0", "0-3", "0,2-3,7"])
def test_lists_of_numbers(text: str) -> None:
    assert hardware.show(hardware.parse(text)) == text
