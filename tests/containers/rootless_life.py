"""A whole life of a pod, to be run inside a user namespace with one id: `python -m tests.containers.rootless_life FOLDER`."""

import asyncio
import sys

from steersman.aio.clock import SystemClock
from steersman.containers.images import build
from steersman.containers.runtime import Resources, RuntimeFailure, Security
from tests.containers import lab
from tests.containers.lab import FOREVER


async def main(folder: str) -> None:
    archive = build.build_hello("1", f"{folder}/hello.tar")
    async with lab.oci_lab(SystemClock(), folder, "steersman-rootless", archive) as node:
        sandbox_id = await node.sandbox("web")
        wanted = Resources(memory_limit_bytes=64 << 20, oom_score_adjust=-500)
        container_id = await node.run(
            FOREVER, sandbox_id, resources=wanted, security=Security(seccomp="RuntimeDefault")
        )
        result = await node.node.exec_sync(
            container_id, ["sh", "-c", "hostname; id -u; rm -r /www && touch /new && ls -d /new /www"], 10
        )
        print(result.stdout.decode().split())
        await node.log(container_id)
        await node.node.stop_container(container_id, 10)
        print((await node.status(container_id)).exit_code)
        try:
            await node.create(sandbox_id, security=Security(run_as_user=1000))
        except RuntimeFailure as refused:
            print(refused.message)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
