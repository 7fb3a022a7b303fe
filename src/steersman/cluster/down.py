"""`steersman down`: stop a cluster and everything it runs; with `--purge`, forget it too."""

import asyncio
import os
import pathlib
import select
import shutil
import sys

from steersman.aio.clock import Clock, SystemClock
from steersman.client import kubeconfig
from steersman.cluster import control, options, paths, stores
from steersman.cluster.join import membership
from steersman.store import contract

STOP_SECONDS_MAX = 60.0


def run(name: str, data_dir: str | None, *, purge: bool) -> int:
    where = paths.of_cluster(name, data_dir)
    if purge and where.holds_other_things():
        print(f"{where.data} holds no cluster: nothing was deleted.", file=sys.stderr)
        return 1
    known, joined = options.load(where.options), membership.load(where)
    clock = SystemClock()
    began = clock.monotonic()
    try:
        pid = control.ask(where.control_socket, {"command": "stop", "purge": purge})["pid"]
    except control.NotRunning:
        if purge and paths.is_locked(where.lock):
            print(f"{where.data} is a running cluster's, of another name: nothing was deleted.", file=sys.stderr)
            return 1
        from steersman.cluster import start  # imports every part: only needed here
        from steersman.cluster.join import start as machine

        leftover = (
            start.sweep_leftovers(where, purge)
            if joined is None
            else machine.sweep_leftovers(where, joined, purge=purge)
        )
        print(f'Cluster "{name}" does not run.' + (" Cleaned up what it had left." if leftover else ""))
    else:
        if not has_ended(pid):
            print(f"The supervisor (process {pid}) did not end within {STOP_SECONDS_MAX:.0f} s.", file=sys.stderr)
            return 1
        if (where.run / "nodes").exists():
            print(f"Something is left of the nodes; see {where.logs / 'supervisor.log'}.", file=sys.stderr)
            return 1
        what = f'Cluster "{name}"' if joined is None else f"Node {joined.node}"
        print(f"{what} stopped in {clock.monotonic() - began:.1f} s.")
    code = _purge(where, name, known, clock) if purge else 0
    if joined is not None and purge and not code:
        print(f"The cluster still has its Node: there, kubectl delete node {joined.node}.")
    return code


def _purge(where: paths.Paths, name: str, known: options.Options | None, clock: Clock) -> int:
    merged_into = known.kubeconfig if known else ""
    try:
        asyncio.run(stores.purge(known or options.Options(), clock))
    except contract.Unavailable as problem:
        print(f"The objects of the cluster could not be deleted: {problem}", file=sys.stderr)
        return 1
    for folder in (where.data, where.run):
        if folder.exists():
            try:
                shutil.rmtree(folder)
            except OSError as problem:
                print(f"Could not delete {folder}: {problem}", file=sys.stderr)
                return 1
    files = {pathlib.Path(merged_into)} if merged_into else set()
    for path in {*files, *kubeconfig.default_paths(os.environ)}:
        config = kubeconfig.load([path])
        if kubeconfig.named(config, "contexts", name) is not None:
            kubeconfig.write(path, kubeconfig.without(config, name))
    print(f"Deleted {where.data}.")
    return 0


def has_ended(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], STOP_SECONDS_MAX)[0])
    finally:
        os.close(descriptor)
