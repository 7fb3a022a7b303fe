"""`steersman backup` and `restore`: a cluster's objects, certificates and options in one file."""

import contextlib
import dataclasses
import http.client
import pathlib
import sys
import tempfile
from collections.abc import Callable

import msgspec

import steersman
from steersman.aio.clock import SystemClock
from steersman.cluster import archive, control, options, paths
from steersman.cluster.api_access import ApiAccess
from steersman.meta import errors, times
from steersman.store import journal
from steersman.store.contract import StoreError

CAUSES_MAX = 0  # the journal is only copied

Change = Callable[[options.Options, journal.Content], options.Options]


class Refused(Exception):
    """Nothing was done; the text says why."""


def backup(file: str, name: str, data_dir: str | None) -> int:
    """Of a cluster that runs, or that is stopped."""
    target = pathlib.Path(file)

    def act() -> int:
        take(target, name, paths.of_cluster(name, data_dir))
        size = f"{target.stat().st_size / 1e6:.1f} MB"
        print(f'Wrote {target} ({size}). It holds the keys of cluster "{name}": keep it safe.')
        return 0

    return told(act)


def restore(file: str, name: str, data_dir: str | None, *, force: bool) -> int:
    """Into a cluster that does not run; `force` replaces what it holds."""

    def act() -> int:
        about = put_back(pathlib.Path(file), name, paths.of_cluster(name, data_dir), _moved, force=force)
        print(f'Cluster "{name}" is as "{about.name}" was at {about.at}. Start it with: steersman up -d --name {name}')
        return 0

    return told(act)


def told(act: Callable[[], int]) -> int:
    """The exit code; what speaks against it is printed."""
    try:
        return act()
    except (Refused, archive.NoBackup, OSError, http.client.HTTPException, errors.StatusError, StoreError) as problem:
        print(problem, file=sys.stderr)
        return 1


def take(target: pathlib.Path, name: str, where: paths.Paths) -> None:
    """Write the file. Raises Refused, and what reaching the cluster and its store raise."""
    is_running = runs(where)
    where = where.in_use() if is_running else where
    known = _options(where, name)
    if not target.absolute().parent.is_dir():
        raise Refused(f"There is no folder {target.absolute().parent} to write into.")
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".steersman-backup-") as folder:
        store = pathlib.Path(folder) / "store.db"
        _copy(where, known, store, is_running=is_running)
        about = archive.About(name, times.format_seconds(SystemClock().now()), steersman.__version__)
        archive.write(target, about, store, where.options, where.pki)


def put_back(file: pathlib.Path, name: str, where: paths.Paths, change: Change, *, force: bool) -> archive.About:
    """Make cluster `name` what the file says, with its options changed. Raises Refused, NoBackup, StoreError, OSError."""
    if runs(where) or paths.is_locked(where.lock):
        raise Refused(f'Cluster "{name}" runs: stop it first (steersman down).')
    if where.holds_other_things():
        raise Refused(f"{where.data} holds something else: nothing was restored.")
    if where.store.exists() and not force:
        raise Refused(f"{where.data} holds a cluster: --force replaces its objects and keys.")
    where.prepare()
    with tempfile.TemporaryDirectory(dir=where.data, prefix=".restore-") as folder:
        unpacked = pathlib.Path(folder)
        about = archive.read(file, unpacked)
        with contextlib.closing(journal.Journal(unpacked / "store.db", CAUSES_MAX)) as kept:
            content = kept.load()  # refused here rather than at the next start
        saved = _options(paths.Paths(unpacked, where.run), name)
        options.save(unpacked / "options.json", change(dataclasses.replace(saved, name=name), content))
        for old in (*where.pki.iterdir(), *where.data.glob("store.db*")):
            old.unlink()
        for part in (*(unpacked / "pki").iterdir(), unpacked / "options.json", unpacked / "store.db"):
            part.replace(where.data / part.relative_to(unpacked))
    return about


def runs(where: paths.Paths) -> bool:
    try:
        control.ask(where.control_socket, {"command": "status"})
    except control.NotRunning:
        return False
    return True


def _moved(saved: options.Options, _: journal.Content) -> options.Options:
    """The user's kubeconfig may be another one here."""
    return dataclasses.replace(saved, kubeconfig="")


def _copy(where: paths.Paths, known: options.Options, target: pathlib.Path, *, is_running: bool) -> None:
    """The store's content into a new file."""
    if known.store != "sqlite":
        etcd = "Its objects are in etcd: etcdctl snapshot save copies them."
        raise Refused(etcd if known.store.startswith("etcd:") else "Its objects are in memory: they end with it.")
    if is_running:
        with target.open("wb") as file:
            for piece in ApiAccess(where, known.port).pieces("/steersman/backup"):
                file.write(piece)
    else:
        with contextlib.closing(journal.Journal(where.store, CAUSES_MAX)) as kept:
            kept.copy_to(target)


def _options(where: paths.Paths, name: str) -> options.Options:
    try:
        known = options.load(where.options)
    except msgspec.DecodeError as problem:
        raise Refused(f"{where.options.name} cannot be read: {problem}") from problem
    if known is None:
        raise Refused(f'There is no cluster "{name}".')
    return known
