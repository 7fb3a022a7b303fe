"""`steersman rewind MOMENT`: the cluster's objects become what they were."""

import urllib.parse
from collections.abc import Sequence
from typing import Any

from steersman.cluster import paths
from steersman.cluster.past import asking

SECONDS_MAX = 60.0  # what has to go first is waited for
TOLD_MAX = 40


def run(moment: str, dry_run: bool, name: str, data_dir: str | None) -> int:
    """Exit code 1 where something could not be brought back."""
    with asking.told():
        api, _ = asking.access(paths.of_cluster(name, data_dir), name)
        path = f"/steersman/rewind/{urllib.parse.quote(moment, safe='')}{'?dryRun=All' if dry_run else ''}"
        told = asking.ask(api, path, "POST", SECONDS_MAX)
        print(_text(told, "would be " if dry_run else ""))
        return 1 if told["taken"] and not dry_run else 0


def _text(told: dict[str, Any], be: str) -> str:
    restored = [_of_key(key) for key in told["restored"]]
    deleted = [f"{one['kind'].lower()} {_place(one['namespace'], one['name'])}" for one in told["deleted"]]
    waiting = [_of_key(key) for key in told["taken"]]
    lines = [
        *_some(f"{be}brought back", [one for one in restored if not one.startswith("nodeports ")]),
        *_some(f"{be}deleted", deleted),
        *_some(f"{be}brought back when what stands there now is gone" if be else "still in the way", waiting),
    ]
    return "\n".join(lines) or f"All is as it was at revision {told['revision']}."


def _some(what: str, names: Sequence[str]) -> list[str]:
    told = [f"{what}: {one}" for one in names[:TOLD_MAX]]
    return [*told, f"{what}: {len(names) - TOLD_MAX} more"] if len(names) > TOLD_MAX else told


def _of_key(key: str) -> str:
    """`/apps/deployments/default/web` is deployments default/web."""
    _, _, plural, *place = key.split("/")
    return f"{plural} {'/'.join(place)}"


def _place(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name
