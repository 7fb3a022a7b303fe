"""`steersman up`: start a cluster, or say that it runs.

The supervisor is forked off this process after all parts are imported: imports are paid once, and what is paid is shared.
"""

import os
import pathlib
import shutil
import sys
from typing import Any

from steersman.aio.clock import SystemClock
from steersman.client import kubeconfig
from steersman.cluster import api_flags, control, detached, machine, options, paths, start, status, stores
from steersman.cluster.api_access import ApiAccess, wait_nodes_ready
from steersman.cluster.join import membership
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths

READY_SECONDS_MAX = 60.0
LIVE_SECONDS = 0.5
EXAMPLE = pathlib.Path("examples/web.yaml")  # there when started from a checkout


def run(
    name: str,
    data_dir: str | None,
    flags: dict[str, Any],
    *,
    kubeconfig: str | None,
    detach: bool,
    example_images: bool,
) -> int:
    clock = SystemClock()
    began = clock.monotonic()
    where = paths.of_cluster(name, data_dir)
    joined = membership.load(where)
    if joined is not None:
        print(
            f"This machine is node {joined.node} of {joined.server}: start it with `steersman join`, or choose another --name "
            "for a cluster of its own.",
            file=sys.stderr,
        )
        return 1
    if status.gather(where)["running"]:
        if where.in_use() != where:
            print(
                f'Cluster "{name}" runs with its data in {where.in_use().data}: choose another --name.', file=sys.stderr
            )
            return 1
        print(f'Cluster "{name}" already runs; `steersman status` says more.')
        return 0
    if where.holds_other_things():
        print(f"{where.data} holds other things: choose another --data-dir, one that may be deleted.", file=sys.stderr)
        return 1
    given = {"name": name, "kubeconfig": kubeconfig and str(pathlib.Path(kubeconfig).absolute()), **flags}
    wanted = options.merged(options.load(where.options), given)
    problem = machine.missing(machine.look(), wanted) or stores.missing(wanted) or api_flags.problem(wanted)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    where.prepare()
    note = machine.note(machine.look(), wanted)
    if note:
        print(note, file=sys.stderr)
    return _start(wanted, where, clock, began, detach, example_images)


def _start(
    wanted: Options,
    where: Paths,
    clock: SystemClock,
    began: float,
    detach: bool,
    example_images: bool,
) -> int:
    since = clock.now()
    start.preload()
    supervisor, error = detached.fork(where, lambda started: start.supervise(wanted, where, example_images, started))
    if error:
        print(error, file=sys.stderr)
        return 1
    target = pathlib.Path(wanted.kubeconfig) if wanted.kubeconfig else kubeconfig.default_paths(os.environ)[0]
    kubeconfig.write(target, kubeconfig.merge(kubeconfig.load([target]), kubeconfig.load([where.kubeconfig])))
    api = ApiAccess(where, wanted.port)
    names = {*wanted.node_names(), *wanted.fake_node_names()}
    late = wait_nodes_ready(api, names, wanted.control_plane_node(), since, READY_SECONDS_MAX, clock)
    if late:
        print(
            f"Not ready after {READY_SECONDS_MAX:.0f} s: {', '.join(sorted(late))}. See {where.logs}.", file=sys.stderr
        )
        return 1
    print(_welcome(wanted, where, target, api, clock.monotonic() - began))
    if not detach:
        _show_until_interrupted(where, supervisor, clock)
    return 0


def _welcome(wanted: Options, where: Paths, target: pathlib.Path, api: ApiAccess, seconds: float) -> str:
    version = (api.get("/version") or {}).get("gitVersion", "")
    count = len(wanted.node_names()) + len(wanted.fake_node_names())
    steersman = "steersman" if shutil.which("steersman") else os.path.relpath(sys.argv[0])
    kubectl = "kubectl" if shutil.which("kubectl") else steersman
    named = "" if wanted.name == options.DEFAULT_NAME else f" --name {wanted.name}"
    lines = [
        f'Cluster "{wanted.name}" is up in {seconds:.1f} s: Kubernetes {version}, {count} node{"s" * (count != 1)} Ready.',
        f"  kubeconfig  {where.kubeconfig}",
        f'              and context "{wanted.name}" in {target}',
        f"  next        {kubectl} get nodes",
        f"              {steersman} status{named}, {steersman} down{named}",
    ]
    if EXAMPLE.exists():
        lines.insert(4, f"              {kubectl} apply -f {EXAMPLE}")
    return "\n".join(lines)


def _show_until_interrupted(where: Paths, supervisor: int, clock: SystemClock) -> None:
    """Print a line whenever what runs changed; Ctrl-C stops the cluster."""
    shown = ""
    try:
        while True:
            found = status.gather(where)
            line = status.one_line(found)
            if line != shown:
                print(line, flush=True)
                shown = line
            if not found["running"]:
                return
            clock.pause(LIVE_SECONDS)
    except KeyboardInterrupt:
        print("Stopping.")
        control.ask(where.control_socket, {"command": "stop"})
        os.waitpid(supervisor, 0)
