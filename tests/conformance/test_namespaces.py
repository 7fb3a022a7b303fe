"""Namespaces, and what goes with them."""

import contextlib

import pytest

from tests.conformance.live import Object, Refused, Space, unique, wait


def gone(space: Space, path: str) -> bool:
    with contextlib.suppress(Refused):
        space.api.get(path)
        return False
    return True


def test_pods_and_services_go_with_it(space: Space) -> None:
    space.pod("one")
    space.running("one")
    space.create("services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    address = f"/api/v1/namespaces/{space.name}"
    space.api.delete(address)
    wait("the namespace is gone", lambda: gone(space, address))
    space.api.create("/api/v1/namespaces", {"metadata": {"name": space.name}})
    assert space.items("pods") == []
    assert space.items("services") == []


def test_patched_and_updated(space: Space) -> None:
    address = f"/api/v1/namespaces/{space.name}"
    assert (
        space.api.patch(address, {"metadata": {"labels": {"testLabel": "v"}}}, "strategic")["metadata"]["labels"][
            "testLabel"
        ]
        == "v"
    )
    updated = space.api.change(address, lambda found: found["metadata"]["labels"].update({space.name: "updated"}))
    assert updated["metadata"]["labels"][space.name] == "updated"


def test_status(space: Space) -> None:
    address = f"/api/v1/namespaces/{space.name}"
    assert space.api.get(f"{address}/status")["status"]["phase"] == "Active"
    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched by an e2e test"}
    body = {"metadata": {"annotations": {"e2e-patched-ns-status": "x"}}, "status": {"conditions": [condition]}}
    patched = space.api.patch(f"{address}/status", body)
    assert patched["metadata"]["annotations"]["e2e-patched-ns-status"] == "x"
    assert patched["status"]["conditions"][0].items() >= condition.items()

    def more(found: Object) -> None:
        found["status"]["conditions"].append(condition | {"type": "StatusUpdate"})

    updated = space.api.change(address, more, "/status")
    assert [one["type"] for one in updated["status"]["conditions"]] == ["StatusPatch", "StatusUpdate"]


def test_finalizer(space: Space) -> None:
    name = unique("finalized")
    made = space.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    assert made["spec"]["finalizers"] == ["kubernetes"]
    address = f"/api/v1/namespaces/{name}"
    made["spec"]["finalizers"].append("e2e.example.com/fakeFinalizer")
    updated = space.api.update(f"{address}/finalize", made)
    assert updated["spec"]["finalizers"] == ["kubernetes", "e2e.example.com/fakeFinalizer"]
    updated["spec"]["finalizers"].pop()
    assert space.api.update(f"{address}/finalize", updated)["spec"]["finalizers"] == ["kubernetes"]
    space.api.delete(address)
    wait("the namespace is gone", lambda: gone(space, address))


def test_the_authoritys_certificate_is_in_each(space: Space) -> None:
    address = space.path("configmaps", "kube-root-ca.crt")
    certificate = wait("it is there", lambda: space.api.get(address))["data"]["ca.crt"]
    assert certificate.strip() == space.api.authority.strip()
    space.api.delete(address)
    wait("it is made again", lambda: space.api.get(address))
    space.api.update(address, {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}})
    wait("it is put right", lambda: space.api.get(address)["data"] == {"ca.crt": certificate})


def test_a_name_is_taken_once(space: Space) -> None:
    with pytest.raises(Refused, match="AlreadyExists"):
        space.api.create("/api/v1/namespaces", {"metadata": {"name": space.name}})
