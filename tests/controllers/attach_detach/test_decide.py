"""Which volumes are attached to a node, and which are let go."""

from typing import Any

import pytest

from steersman.controllers.attach_detach import decide
from steersman.controllers.attach_detach.decide import Seen, Wanted
from steersman.controllers.decision import Create, Delete, Emit, Patch
from steersman.csi import naming
from steersman.meta import objects
from tests.controllers import shapes
from tests.controllers.volume_shapes import volume

DISK = volume("pv", csi={"driver": "d.x", "volumeHandle": "h"})
SHARED = volume("pv", csi={"driver": "d.x", "volumeHandle": "h"}, accessModes=["ReadWriteMany"])
POD = {"metadata": {"name": "p", "namespace": "default", "uid": "p"}}
UNIQUE = naming.in_use("d.x", "h")


def node(in_use: tuple[str, ...] = (), attached: tuple[str, ...] = ()) -> Any:
    status = {"volumesInUse": list(in_use), "volumesAttached": [{"name": one, "devicePath": ""} for one in attached]}
    return {"metadata": {"name": "n", "uid": "n", "resourceVersion": "1"}, "status": status}


def dead(of: Any) -> Any:
    return of | {"spec": {"taints": [{"key": decide.OUT_OF_SERVICE, "effect": "NoExecute"}]}}


def attachment(*, attached: bool = True, error: str = "", going: bool = False) -> Any:
    meta = {"name": "csi-1", "uid": "a", "annotations": {decide.UNIQUE_NAME: UNIQUE}}
    meta |= {"deletionTimestamp": shapes.STAMP} if going else {}
    status = {"attached": attached, **({"attachError": {"message": error}} if error else {})}
    return {"metadata": meta, "spec": {"source": {"persistentVolumeName": "pv"}}, "status": status}


NEEDED = [Wanted(DISK, [POD])]
DONE = ("SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pv" ')
MULTI = (
    "FailedAttachVolume",
    'Multi-Attach error for volume "pv" Volume is already exclusively attached to one node and can\'t be attached to another',
)
CASES = {
    "needed": (Seen("n", node(), NEEDED, {}), [("create", naming.attachment("h", "d.x", "n"))]),
    "on the way": (Seen("n", node(), NEEDED, {"pv": attachment(attached=False)}), []),
    "come": (Seen("n", node(), NEEDED, {"pv": attachment()}), [("attached", [UNIQUE]), DONE]),
    "told": (Seen("n", node(attached=(UNIQUE,)), NEEDED, {"pv": attachment()}), []),
    "failed": (
        Seen("n", node(), NEEDED, {"pv": attachment(attached=False, error="no")}),
        [("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pv" : no')],
    ),
    "elsewhere": (Seen("n", node(), NEEDED, {}, {"pv": "m"}), [MULTI]),
    "shared": (
        Seen("n", node(), [Wanted(SHARED, [POD])], {}, {"pv": "m"}),
        [("create", naming.attachment("h", "d.x", "n"))],
    ),
    "not needed": (Seen("n", node(attached=(UNIQUE,)), [], {"pv": attachment()}), [("delete", "csi-1")]),
    "still mounted": (Seen("n", node((UNIQUE,), (UNIQUE,)), [], {"pv": attachment()}), []),
    "mounted on a node declared dead": (
        Seen("n", dead(node((UNIQUE,), (UNIQUE,))), [], {"pv": attachment()}),
        [("delete", "csi-1")],
    ),
    "going": (Seen("n", node(attached=(UNIQUE,)), [], {"pv": attachment(going=True)}), []),
    "gone": (Seen("n", node(attached=(UNIQUE,)), [], {}), [("attached", [])]),
    "the node is gone": (Seen("n", None, NEEDED, {"pv": attachment()}), [("delete", "csi-1")]),
}


@pytest.mark.parametrize(("seen", "expect"), CASES.values(), ids=CASES.keys())
def test_decisions(seen, expect):
    found: list[Any] = []
    for action in decide.decide(seen).actions:
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
