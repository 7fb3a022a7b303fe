"""What checks look at, and how they name what they found."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from steersman.meta.objects import Object


class Violation(NamedTuple):
    """`reason` says what it is about, `detail` where."""

    reason: str
    detail: str


class Pod(NamedTuple):
    """A pod, or the template of one."""

    annotations: Mapping[str, str]
    spec: Object

    def containers(self) -> Iterator[Object]:
        for field in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.spec.get(field) or ()

    @property
    def security(self) -> Object:
        return self.spec.get("securityContext") or {}

    @property
    def is_windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"

    @property
    def has_own_users(self) -> bool:
        """Root in it is nobody outside."""
        return self.spec.get("hostUsers") is False


Check = Callable[[Pod], Violation | None]


def security_of(container: Object) -> Object:
    return container.get("securityContext") or {}


def named(names: Iterable[str], one: str = "container", many: str = "containers") -> str:
    """`container "a"`, `containers "a", "b"`."""
    listed = list(names)
    return f"{plural(len(listed), one, many)} {quoted(listed)}"


def plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


class Setters:
    """Who says what is forbidden, and what that is: the pod itself, and containers."""

    def __init__(self) -> None:
        self.pod = False
        self.containers: list[str] = []
        self.values: set[str] = set()

    @classmethod
    def of(cls, pod: Pod, wrong: Callable[[Object], Iterable[Any]]) -> "Setters":
        """`wrong(security context)`: the forbidden values in it."""
        found = cls()
        own = list(wrong(pod.security))
        found.pod = bool(own)
        found.values.update(map(str, own))
        for container in pod.containers():
            values = list(wrong(security_of(container)))
            if values:
                found.containers.append(container["name"])
                found.values.update(map(str, values))
        return found

    def __bool__(self) -> bool:
        return self.pod or bool(self.containers)

    def __str__(self) -> str:
        """`pod and containers "a", "b"`."""
        return " and ".join([*(["pod"] if self.pod else []), *([named(self.containers)] if self.containers else [])])
