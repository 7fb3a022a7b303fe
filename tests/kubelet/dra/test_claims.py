"""Claims are prepared by their drivers, over real sockets, and given back."""

import pathlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from steersman.api.kind import Kind
from steersman.client.client import Client
from steersman.kubelet.dra import plugins
from steersman.kubelet.dra.claims import Claims, PrepareError
from steersman.kubelet.dra.plugins import PluginError, Plugins
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import protobuf, remote_calls

pytestmark = pytest.mark.slow


class Driver:
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refuses = ""

    async def prepare(self, request: protobuf.Message) -> protobuf.Message:
        return self._answer("prepare", request, {"devices": [_device("gpu", "0"), _device("nic", "1")]})

    async def unprepare(self, request: protobuf.Message) -> protobuf.Message:
        return self._answer("unprepare", request, {})

    def _answer(self, verb: str, request: protobuf.Message, good: protobuf.Message) -> protobuf.Message:
        (claim,) = request["claims"]
        self.asked.append((verb, claim["name"]))
        return {"claims": {claim["uid"]: {"error": self.refuses} if self.refuses else good}}


def _device(request: str, name: str) -> Object:
    return {"request_names": [request], "pool_name": "p", "device_name": name, "cdi_device_ids": [f"test.dev/x={name}"]}


class Api:
    """A client that knows some claims."""

    def __init__(self, *claims: Object) -> None:
        self._claims = {claim["metadata"]["name"]: claim for claim in claims}

    async def get(self, kind: Kind, name: str, namespace: str = "", **more: Any) -> Object:
        if name not in self._claims:
            raise errors.not_found(kind.plural, name, kind.group)
        return self._claims[name]


def claim(*pods: str, name: str = "c", driver: str = "test.dev") -> Object:
    results = [{"driver": driver, "pool": "p", "device": "0", "request": "gpu"}]
    reserved = [{"resource": "pods", "name": uid, "uid": uid} for uid in pods]
    status = {"allocation": {"devices": {"results": results}}, "reservedFor": reserved}
    return {"metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"}, "status": status}


def pod(uid: str = "p1", claim_name: str = "c") -> Object:
    spec = {"resourceClaims": [{"name": "mine", "resourceClaimName": claim_name}]}
    return {"metadata": {"name": uid, "namespace": "default", "uid": uid}, "spec": spec}


def container(request: str = "") -> Object:
    return {"name": "main", "resources": {"claims": [{"name": "mine", **({"request": request} if request else {})}]}}


@pytest.fixture
async def driver(tmp_path: pathlib.Path) -> AsyncIterator[Driver]:
    made = Driver()
    schema = protobuf.load(plugins.SCHEMA)
    handlers = {"NodePrepareResources": made.prepare, "NodeUnprepareResources": made.unprepare}
    server = await remote_calls.serve(f"unix:{tmp_path}/driver.sock", schema, {"DRAPlugin": handlers})
    yield made
    await server.stop(0)


@pytest.fixture
def known(tmp_path: pathlib.Path) -> Plugins:
    found = Plugins()
    found.add("test.dev", tmp_path / "driver.sock", ["v1beta1.DRAPlugin", "v1.DRAPlugin"])
    return found


def of(folder: pathlib.Path, known: Plugins, *claims: Object) -> Claims:
    return Claims(folder, cast(Client, Api(*claims)), known)


async def test_a_claim_is_prepared_once_and_given_back(tmp_path, driver, known):
    claims = of(tmp_path, known, claim("p1"))
    await claims.prepare(pod())
    await claims.prepare(pod())
    assert driver.asked == [("prepare", "c")]
    assert claims.cdi_devices("p1", container()) == ("test.dev/x=0", "test.dev/x=1")
    assert claims.cdi_devices("p1", container("nic")) == ("test.dev/x=1",)
    assert claims.cdi_devices("p1", {"name": "other"}) == claims.cdi_devices("p2", container()) == ()
    await claims.unprepare("p1")
    await claims.unprepare("p1")
    assert driver.asked == [("prepare", "c"), ("unprepare", "c")]


async def test_a_later_kubelet_knows_what_to_undo(tmp_path, driver, known):
    await of(tmp_path, known, claim("p1")).prepare(pod())
    later = of(tmp_path, known)
    assert later.cdi_devices("p1", container()) == ("test.dev/x=0", "test.dev/x=1")
    await later.unprepare("p1")
    assert driver.asked[-1] == ("unprepare", "c")


async def test_devices_that_stand_for_extended_resources(tmp_path, driver, known):
    wanting: Object = {"metadata": pod()["metadata"], "spec": {}}
    mappings = [{"containerName": "main", "resourceName": "x/nic", "requestName": "nic"}]
    wanting["status"] = {"extendedResourceClaimStatus": {"resourceClaimName": "c", "requestMappings": mappings}}
    await of(tmp_path, known, claim("p1")).prepare(wanting)
    later = of(tmp_path, known)
    assert later.cdi_devices("p1", {"name": "main"}) == ("test.dev/x=1",)
    assert later.cdi_devices("p1", {"name": "other"}) == ()


async def test_a_shared_claim_is_given_back_after_the_last_pod(tmp_path, driver, known):
    claims = of(tmp_path, known, claim("p1", "p2"))
    await claims.prepare(pod("p1"))
    await claims.prepare(pod("p2"))
    await claims.unprepare("p1")
    assert driver.asked == [("prepare", "c")]
    await claims.unprepare("p2")
    assert driver.asked == [("prepare", "c"), ("unprepare", "c")]


async def test_a_driver_that_refuses_is_asked_again(tmp_path, driver, known):
    claims = of(tmp_path, known, claim("p1"))
    driver.refuses = "no power"
    with pytest.raises(PrepareError, match=r"claim c: DRA driver test\.dev: no power"):
        await claims.prepare(pod())
    driver.refuses = ""
    await claims.prepare(pod())
    driver.refuses = "busy"
    with pytest.raises(PluginError, match="busy"):
        await claims.unprepare("p1")
    driver.refuses = ""
    await claims.unprepare("p1")
    assert [verb for verb, _ in driver.asked] == ["prepare", "prepare", "unprepare", "unprepare"]


@pytest.mark.parametrize(
    ("there", "wanted", "message"),
    [
        (claim("p1"), pod(claim_name="none"), "failed to fetch ResourceClaim none"),
        (claim("somebody"), pod(), r"pod p1 \(p1\) is not allowed to use resource claim c \(uid-c\)"),
        (claim("p1", driver="gone.dev"), pod(), "DRA driver gone.dev is not registered"),
    ],
)
async def test_what_stands_in_the_way_is_told(tmp_path, driver, known, there, wanted, message):
    with pytest.raises(PrepareError, match=message):
        await of(tmp_path, known, there).prepare(wanted)


def test_drivers_of_another_version_are_refused():
    with pytest.raises(PluginError, match="none of the versions"):
        Plugins().add("test.dev", pathlib.Path("x"), ["v1alpha3.DRAPlugin"])
