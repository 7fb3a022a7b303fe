"""`steersman simulate`: ask a running cluster for all it has, try something on a copy, tell what happened."""

import http.client
import logging
import sys
from collections.abc import Iterator

from steersman.aio.clock import SystemClock
from steersman.cluster import options, paths
from steersman.cluster.api_access import ApiAccess
from steersman.meta.errors import StatusError
from steersman.scheduler import explain
from steersman.simulation.what_if import effects, scenario, taking, trial
from steersman.simulation.what_if.scenario import Scenario
from steersman.simulation.what_if.taking import Listed
from steersman.testing.manifests import NotAManifest
from steersman.testing.references import UnknownKind

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def run(wanted: Scenario, seconds: float, name: str, data_dir: str | None) -> int:
    """Exit code 0 when every Service kept an endpoint and no pod waits at the end, 2 when not, 1 when nothing was tried."""
    where = paths.of_cluster(name, data_dir).in_use()
    known = options.load(where.options)
    if known is None:
        print(f'There is no cluster "{name}".', file=sys.stderr)
        return 1
    logging.getLogger("steersman").setLevel(logging.ERROR)  # nodes that are lost complain, on paper too
    clock = SystemClock()
    began = clock.monotonic()
    delays = trial.Delays(known.node_monitor_grace_seconds, known.eviction_seconds)
    try:
        taken = taking.take(_listed(ApiAccess(where, known.port)), known.heartbeat_seconds)
        report = trial.run(taken, wanted, seconds, clock.now().replace(microsecond=0), delays)
    except (OSError, http.client.HTTPException) as problem:
        print(f"The cluster cannot be asked, or a manifest not be read: {problem}", file=sys.stderr)
        return 1
    except (StatusError, scenario.Unknown, NotAManifest, UnknownKind) as problem:
        print(problem, file=sys.stderr)
        return 1
    for line in effects.told(report.courses.of, seconds):
        print(line)
    for pod, refusals in sorted(report.waiting.items()):
        print(f"Pod {pod} has no node at the end:")
        for line in explain.in_words(refusals):
            print(f"  {line}")
    took = clock.monotonic() - began
    print(f"simulated {seconds:.0f} s of {report.nodes} nodes and {report.pods} pods in {took:.1f} s", file=sys.stderr)
    return 2 if report.waiting or effects.is_worse(report.courses.of, seconds) else 0


def _listed(api: ApiAccess) -> Iterator[Listed]:
    """All kinds as they are stored, of one moment."""
    start = f"/steersman/at/{api.ask('/steersman/at/0s')['revision']}"
    for kind in taking.kinds_to_list():
        items = api.items(f"{start}{kind.path}/{kind.plural}")
        typed = {"apiVersion": kind.api_version, "kind": kind.kind}
        yield Listed(kind.group, kind.plural, [{**typed, **item} for item in items])
    for definition in api.items(f"{start}{_DEFINITIONS}"):
        spec = definition["spec"]
        version = next(one["name"] for one in spec["versions"] if one.get("storage"))
        plural = spec["names"]["plural"]
        yield Listed(spec["group"], plural, api.items(f"{start}/apis/{spec['group']}/{version}/{plural}"))
