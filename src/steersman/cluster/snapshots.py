"""`steersman snapshot`: copies of a cluster that it keeps itself, by name.

Keeps true: a snapshot is a backup (`archive.py`) in the cluster's data directory; it goes with `down --purge`.
"""

import pathlib

from steersman.cluster import archive, backup, down, paths, up

_SUFFIX = ".tar.gz"


def create(snapshot: str, name: str, data_dir: str | None) -> int:
    return backup.told(lambda: _create(snapshot, name, _of(name, data_dir)))


def list_all(name: str, data_dir: str | None) -> int:
    return backup.told(lambda: _list(_of(name, data_dir)))


def remove(snapshot: str, name: str, data_dir: str | None) -> int:
    return backup.told(lambda: _remove(snapshot, _of(name, data_dir)))


def restore(snapshot: str, name: str, data_dir: str | None) -> int:
    """Stop the cluster if it runs, make it what it was, and start it again if it ran."""
    return backup.told(lambda: _restore(snapshot, name, _of(name, data_dir)))


def _create(snapshot: str, name: str, where: paths.Paths) -> int:
    target = _path(where, snapshot)
    if target.exists():
        raise backup.Refused(f'There is a snapshot "{snapshot}" of {archive.about(target).at}.')
    if where.lock.exists():  # else there is no cluster, as `take` says
        target.parent.mkdir(mode=0o700, exist_ok=True)
    backup.take(target, name, where)
    print(f'Snapshot "{snapshot}" ({_size(target)}).')
    return 0


def _list(where: paths.Paths) -> int:
    found = sorted(_folder(where).glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime)
    rows = [(path.name.removesuffix(_SUFFIX), archive.about(path).at, _size(path)) for path in found]
    rows.insert(0, ("NAME", "TAKEN", "SIZE"))
    width = max(len(row[0]) for row in rows)
    for snapshot, at, size in rows:
        print(f"{snapshot:{width}}  {at:20}  {size}")
    return 0


def _remove(snapshot: str, where: paths.Paths) -> int:
    find(where, snapshot).unlink()
    print(f'Snapshot "{snapshot}" removed.')
    return 0


def _restore(snapshot: str, name: str, where: paths.Paths) -> int:
    file = find(where, snapshot)
    archive.about(file)  # read before anything is stopped
    ran = backup.runs(where)
    if ran and down.run(name, str(where.data), purge=False):
        return 1
    about = backup.put_back(file, name, where, lambda saved, _: saved, force=True)
    print(f'Cluster "{name}" is as it was at {about.at}.', flush=True)
    return up.run(name, str(where.data), {}, kubeconfig=None, detach=True, example_images=False) if ran else 0


def find(where: paths.Paths, snapshot: str) -> pathlib.Path:
    """Raises Refused."""
    path = _path(where, snapshot)
    if not path.exists():
        raise backup.Refused(f'There is no snapshot "{snapshot}"; `steersman snapshot ls` lists those there are.')
    return path


def _path(where: paths.Paths, snapshot: str) -> pathlib.Path:
    try:
        return _folder(where) / f"{paths.check_name(snapshot)}{_SUFFIX}"
    except ValueError:
        letters = "use letters, digits and, between them, '-', '_' and '.'"
        raise backup.Refused(f"{snapshot!r} can be no snapshot's name: {letters}") from None


def _of(name: str, data_dir: str | None) -> paths.Paths:
    return paths.of_cluster(name, data_dir).in_use()


def _folder(where: paths.Paths) -> pathlib.Path:
    return where.data / "snapshots"


def _size(path: pathlib.Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
