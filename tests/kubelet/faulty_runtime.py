"""A runtime on paper that fails as told: before it does what it is asked, or afterwards, so that its answer is lost."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from steersman.containers import runtime
from steersman.containers.fake import FakeRuntime
from steersman.containers.runtime import RuntimeFailure


@dataclasses.dataclass
class Fault:
    """`times` calls of `call` raise `error`; with `is_done` it is carried out all the same. `seconds`: how long that takes."""

    call: str
    error: Exception
    times: int = 1
    is_done: bool = False
    seconds: float = 0.0


def failure(text: str, reason: str = "") -> RuntimeFailure:
    return RuntimeFailure(reason or "RuntimeError", text)


class FaultyRuntime(FakeRuntime):
    """`calls` are all that came, in their order."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.faults: list[Fault] = []
        self.calls: list[str] = []

    async def _with_faults(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        self.calls.append(name)
        fault = next((one for one in self.faults if one.call == name and one.times > 0), None)
        if fault is None:
            return await work()
        fault.times -= 1
        await self._clock.sleep(fault.seconds)
        if fault.is_done:
            await work()
        raise fault.error

    async def run_sandbox(self, config: runtime.SandboxConfig) -> str:
        return str(await self._with_faults("run_sandbox", lambda: super(FaultyRuntime, self).run_sandbox(config)))

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._with_faults("stop_sandbox", lambda: super(FaultyRuntime, self).stop_sandbox(sandbox_id))

    async def create_container(self, sandbox_id: str, config: runtime.ContainerConfig) -> str:
        made = await self._with_faults(
            "create_container", lambda: super(FaultyRuntime, self).create_container(sandbox_id, config)
        )
        return str(made)

    async def start_container(self, container_id: str) -> None:
        await self._with_faults("start_container", lambda: super(FaultyRuntime, self).start_container(container_id))

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        await self._with_faults(
            "stop_container", lambda: super(FaultyRuntime, self).stop_container(container_id, grace_seconds)
        )

    async def container_status(self, container_id: str) -> runtime.ContainerStatus | None:
        found: runtime.ContainerStatus | None = await self._with_faults(
            "container_status", lambda: super(FaultyRuntime, self).container_status(container_id)
        )
        return found

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        found: Sequence[runtime.ContainerStatus] = await self._with_faults(
            "list_containers", lambda: super(FaultyRuntime, self).list_containers()
        )
        return found

    async def list_sandboxes(self) -> Sequence[runtime.SandboxStatus]:
        found: Sequence[runtime.SandboxStatus] = await self._with_faults(
            "list_sandboxes", lambda: super(FaultyRuntime, self).list_sandboxes()
        )
        return found
