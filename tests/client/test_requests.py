import urllib.parse

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.client import requests
from steersman.meta.errors import StatusError
from steersman.serving.messages import Response


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((kinds.POD,), "/api/v1/pods"),
        ((kinds.POD, "default"), "/api/v1/namespaces/default/pods"),
        ((kinds.POD, "default", "web"), "/api/v1/namespaces/default/pods/web"),
        ((kinds.POD, "default", "web", "status"), "/api/v1/namespaces/default/pods/web/status"),
        ((kinds.NODE, "", "n"), "/api/v1/nodes/n"),
        ((kinds.NODE, "ignored", "n"), "/api/v1/nodes/n"),
        ((kinds.NAMESPACE, "", "default"), "/api/v1/namespaces/default"),
        ((kinds.DEPLOYMENT, "a", "web"), "/apis/apps/v1/namespaces/a/deployments/web"),
        ((kinds.LEASE,), "/apis/coordination.k8s.io/v1/leases"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_paths(arguments, expected):
    assert requests.path(*arguments) == expected


def test_list_parameters():
    request = requests.list_page(
        kinds.POD,
        "a",
        label_selector="app in (web,db)",
        field_selector="spec.nodeName=n",
        resource_version="0",
        limit=5,
        continue_token="",
    )
    assert request.query == (
        "labelSelector=app+in+%28web%2Cdb%29&fieldSelector=spec.nodeName%3Dn&resourceVersion=0&limit=5"
    )


def test_a_continued_list_names_no_revision_of_its_own():
    request = requests.list_page(
        kinds.POD, "", label_selector="", field_selector="", resource_version="0", limit=5, continue_token="t/="
    )
    assert request.query == "continue=t%2F%3D&limit=5"


def test_watch_parameters():
    request = requests.watch(
        kinds.POD,
        "",
        resource_version="7",
        label_selector="",
        field_selector="",
        bookmarks=True,
        timeout_seconds=300,
    )
    assert request.query == "watch=1&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=300"


def test_create_of_a_subresource():
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"}, "target": {"name": "n"}}
    request = requests.create(kinds.POD, binding, "default", because=12, subresource="binding", name="")
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/default/pods/web/binding")
    assert request.headers == {"content-type": "application/json", "steersman-because": "12"}
    assert orjson.loads(request.body) == binding


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("merge", "application/merge-patch+json"),
        ("json", "application/json-patch+json"),
        ("strategic", "application/strategic-merge-patch+json"),
        ("apply", "application/apply-patch+yaml"),
    ],
)
def test_patch_types(kind, content_type):
    request = requests.patch(
        kinds.POD, "web", "a", {"x": 1}, type=kind, subresource="status", because=0, field_manager="me", force=True
    )
    assert request.headers == {"content-type": content_type}
    assert (request.path, request.query) == ("/api/v1/namespaces/a/pods/web/status", "fieldManager=me&force=true")


def test_delete_options():
    request = requests.delete(
        kinds.POD, "web", "a", uid="u", resource_version="3", grace_seconds=0, propagation="Foreground", because=0
    )
    assert orjson.loads(request.body) == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": "u", "resourceVersion": "3"},
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Foreground",
    }


def test_list_items_carry_their_kind():
    body = {"metadata": {"resourceVersion": "9", "continue": "c", "remainingItemCount": 2}, "items": [{"metadata": {}}]}
    found = requests.parse_list(kinds.DEPLOYMENT, Response(200, {}, orjson.dumps(body)))
    assert found.items == [{"metadata": {}, "apiVersion": "apps/v1", "kind": "Deployment"}]
    assert (found.resource_version, found.continue_token, found.remaining) == ("9", "c", 2)
    assert requests.parse_list(kinds.POD, Response(200, {}, b'{"items":null,"metadata":{}}')).items == []


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (409, b'{"kind":"Status","reason":"AlreadyExists","code":409}', {}, (409, "AlreadyExists", None)),
        (404, b'{"kind":"Status","reason":"NotFound"}', {}, (404, "NotFound", None)),
        (502, b"<html>bad gateway</html>", {}, (502, "Unknown", None)),
        (429, b"slow down", {"retry-after": "7"}, (429, "TooManyRequests", 7)),
        (503, b"", {}, (503, "ServiceUnavailable", None)),
        (500, b"[1]", {}, (500, "InternalError", None)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refusals(status, body, headers, expected):
    with pytest.raises(StatusError) as refused:
        requests.parse_object(Response(status, headers, body))
    error = refused.value
    assert (error.code, error.reason, error.retry_after_seconds) == expected


def test_watch_events():
    event = requests.parse_event(b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}')
    assert (event.type, event.object) == ("ADDED", {"metadata": {"name": "a"}})
    with pytest.raises(StatusError) as refused:
        requests.parse_event(b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}')
    assert refused.value.code == 410


@given(st.dictionaries(st.sampled_from(["labelSelector", "limit", "watch"]), st.text() | st.integers() | st.booleans()))
def test_a_query_is_escaped_as_a_form_is(parameters):
    kept = {key: "true" if value is True else value for key, value in parameters.items() if value}
    assert requests.query(**parameters) == urllib.parse.urlencode(kept)
