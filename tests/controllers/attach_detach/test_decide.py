"""Which volumes are attached to a node, and which are let go."""

import datetime
from typing import Any

import pytest

from steersman.controllers.attach_detach import decide
from steersman.controllers.attach_detach.decide import Elsewhere, Held, Seen, Wanted
from steersman.controllers.decision import Create, Delete, Emit, Patch
from steersman.csi import naming
from steersman.meta import objects
from tests.controllers import shapes
from tests.controllers.volume_shapes import volume

DISK = volume("pv", csi={"driver": "d.x", "volumeHandle": "h"})
ANYHOW = volume("pv", csi={"driver": "d.x", "volumeHandle": "h"}, accessModes=[])
SHARED = volume("pv", csi={"driver": "d.x", "volumeHandle": "h"}, accessModes=["ReadWriteMany"])
POD = {"metadata": {"name": "p", "namespace": "default", "uid": "p"}}
UNIQUE = naming.in_use("d.x", "h")


def node(in_use: tuple[str, ...] = (), attached: tuple[str, ...] = (), *, ready: bool = True) -> Any:
    status: Any = {
        "volumesInUse": list(in_use),
        "volumesAttached": [{"name": one, "devicePath": ""} for one in attached],
    }
    status["conditions"] = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    return {"metadata": {"name": "n", "uid": "n", "resourceVersion": "1"}, "status": status}


def dead(of: Any) -> Any:
    return of | {"spec": {"taints": [{"key": decide.OUT_OF_SERVICE, "effect": "NoExecute"}]}}


def held(*, attached: bool = True, error: str = "", going: bool = False, unwanted_seconds: float | None = None) -> Held:
    meta = {"name": "csi-1", "uid": "a", "annotations": {decide.UNIQUE_NAME: UNIQUE}}
    meta |= {"deletionTimestamp": shapes.STAMP} if going else {}
    status = {"attached": attached, **({"attachError": {"message": error}} if error else {})}
    found = {"metadata": meta, "spec": {"source": {"persistentVolumeName": "pv"}}, "status": status}
    since = None if unwanted_seconds is None else shapes.NOW - datetime.timedelta(seconds=unwanted_seconds)
    return Held(found, UNIQUE, since)


def seen(of: Any, wanted: Any, there: Held | None = None, **more: Any) -> Seen:
    return Seen("n", of, wanted, {"pv": there} if there else {}, shapes.NOW, **more)


NEEDED = [Wanted(DISK, [POD])]
DONE = ("SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pv" ')
MULTI = (
    "FailedAttachVolume",
    'Multi-Attach error for volume "pv" Volume is already exclusively attached to one node and can\'t be attached to another',
)
USED = ("FailedAttachVolume", 'Multi-Attach error for volume "pv" Volume is already used by pod(s) a, b')
MADE = ("create", naming.attachment("h", "d.x", "n"))
GONE = ("delete", "csi-1")
OTHERS = [{"metadata": {"name": name}} for name in ("b", "a")]
MOUNTED = node((UNIQUE,), (UNIQUE,))
SILENT = node((UNIQUE,), (UNIQUE,), ready=False)
OLD, YOUNG = held(unwanted_seconds=360), held(unwanted_seconds=100)
CASES = {
    "needed": (seen(node(), NEEDED), [MADE], None),
    "on the way": (seen(node(), NEEDED, held(attached=False)), [], None),
    "come": (seen(node(), NEEDED, held()), [("attached", [UNIQUE]), DONE], None),
    "told": (seen(node(attached=(UNIQUE,)), NEEDED, held()), [], None),
    "failed": (
        seen(node(), NEEDED, held(attached=False, error="no")),
        [("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pv" : no')],
        None,
    ),
    "elsewhere": (seen(node(), NEEDED, elsewhere={"pv": Elsewhere()}), [MULTI], 5.0),
    "elsewhere, with its pods": (seen(node(), NEEDED, elsewhere={"pv": Elsewhere(OTHERS)}), [USED], 5.0),
    "elsewhere, told": (seen(node(), NEEDED, elsewhere={"pv": Elsewhere()}, told=frozenset(["pv"])), [], 5.0),
    "shared": (seen(node(), [Wanted(SHARED, [POD])], elsewhere={"pv": Elsewhere()}), [MADE], None),
    "of no mode": (seen(node(), [Wanted(ANYHOW, [POD])], elsewhere={"pv": Elsewhere()}), [MADE], None),
    "not needed": (seen(node(attached=(UNIQUE,)), [], held(unwanted_seconds=0)), [("attached", []), GONE], None),
    "still mounted": (seen(MOUNTED, [], YOUNG), [], 260.0),
    "mounted for ever on a node that is well": (seen(MOUNTED, [], OLD), [], None),
    "mounted on a node that says nothing": (seen(SILENT, [], YOUNG), [], 260.0),
    "mounted on a node that has said nothing for long": (seen(SILENT, [], OLD), [("attached", []), GONE], None),
    "mounted on a node declared dead": (seen(dead(MOUNTED), [], YOUNG), [("attached", []), GONE], None),
    "going": (seen(node(attached=(UNIQUE,)), [], held(going=True)), [("attached", [])], None),
    "gone": (seen(node(attached=(UNIQUE,)), []), [("attached", [])], None),
    "the node is gone, and had nothing mounted": (seen(node(), NEEDED, YOUNG, is_gone=True), [GONE], None),
    "the node is gone, and had it mounted": (seen(MOUNTED, [], YOUNG, is_gone=True), [], 260.0),
    "the node is long gone": (seen(MOUNTED, [], OLD, is_gone=True), [GONE], None),
    "the node was never seen": (seen(None, [], YOUNG, is_gone=True), [], 260.0),
}


@pytest.mark.parametrize(("of", "expect", "again"), CASES.values(), ids=CASES.keys())
def test_decisions(of, expect, again):
    found: list[Any] = []
    decision = decide.decide(of)
    for action in decision.actions:
        match action:
            case Emit():
                found.append((action.reason, action.message))
            case Create():
                found.append(("create", objects.name(action.obj)))
            case Delete():
                found.append(("delete", action.name))
            case Patch():
                listed = action.patch["status"]["volumesAttached"] or []
                found.append(("attached", [one["name"] for one in listed]))
    assert found == expect
    assert decision.again_after_seconds == again
