"""Processors set aside for containers."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import processors
from steersman.kubelet.options import Options
from steersman.kubelet.processors import Assignments, NotEnough, Processors
from steersman.meta.objects import Object
from tests.kubelet import world


def asks(name: str, cpu: str, **about: Any) -> Object:
    amounts = {"cpu": cpu, "memory": "1Mi"}
    return world.container(name, resources={"requests": amounts, "limits": amounts}, **about)


def pod(uid: str, *containers: Object, inits: list[Object] | None = None) -> Object:
    made = world.pod(uid, containers=list(containers), inits=inits)
    made["metadata"]["uid"] = uid
    return made


START = Assignments(frozenset(range(8)), frozenset({0}))


def test_whole_processors_of_guaranteed_pods_are_set_aside() -> None:
    found = START.allocate(pod("a", asks("one", "2"), asks("half", "1500m")))
    assert found.taken == {"a": {"one": frozenset({1, 2})}}
    assert found.shared == {0, 3, 4, 5, 6, 7}
    assert found.allocate(pod("b", world.container(resources={"requests": {"cpu": "2"}}))) == found, "burstable"
    assert found.release("a") == START


def test_init_containers_lend_theirs() -> None:
    side = asks("side", "1", restartPolicy="Always")
    found = START.allocate(pod("a", asks("main", "4"), inits=[asks("init", "3"), side]))
    taken = found.taken["a"]
    assert taken["side"] <= taken["init"], "what the init container had is used again"
    assert not taken["side"] & taken["main"], "a sidecar goes on beside the main containers"
    assert len(taken["main"] | taken["side"]) == 5


def test_too_many() -> None:
    with pytest.raises(NotEnough, match="requested=8, available=7"):
        START.allocate(pod("a", asks("one", "8")))


def test_a_later_kubelet_knows(tmp_path: Path) -> None:
    options = Options(data_dir=tmp_path, cpu_policy="static", kube_reserved={"cpu": "500m"})
    first = Processors(options, range(4))
    assert first.admit(pod("a", asks("main", "2")))
    again = Processors(options, range(4))
    assert (again.cpus_of("a", "main"), again.cpus_of("b", "any")) == ("1-2", "0,3")
    assert (again.is_exclusive("a", "main"), again.is_exclusive("a", "other")) == (True, False)
    again.keep_only([])
    assert again.cpus_of("b", "any") == "0-3"


def test_without_the_policy_everyone_runs_anywhere(tmp_path: Path) -> None:
    free = Processors(Options(data_dir=tmp_path), range(4))
    assert not free.admit(pod("a", asks("main", "2")))
    assert free.cpus_of("a", "main") == ""


@pytest.mark.parametrize("text", ["", "0", "0-3", "0,2-3,7"])
def test_texts(text: str) -> None:
    assert processors._text(processors.parse(text)) == text
