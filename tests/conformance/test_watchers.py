"""Watches, lists in chunks, tables."""

import itertools
import json
import threading

from tests.conformance.live import Object, Space, unique


def change(space: Space, name: str, count: int, label: str | None = None) -> Object:
    body: Object = {"data": {"mutation": str(count)}}
    if label:
        body["metadata"] = {"labels": {"watch-this": label}}
    found: Object = space.api.patch(space.path("configmaps", name), body)
    return found


def make(space: Space, name: str, label: str) -> Object:
    made: Object = space.create("configmaps", {"metadata": {"name": name, "labels": {"watch-this": label}}})
    return made


def told(event: Object) -> tuple[str, str, str]:
    found = event["object"]
    return event["type"], found["metadata"]["name"], found.get("data", {}).get("mutation", "")


def version(found: Object) -> str:
    return str(found["metadata"]["resourceVersion"])


def test_watchers_see_what_matches(space: Space) -> None:
    root = space.path("configmaps")
    with (
        space.api.watch(root, labelSelector="watch-this=a") as a,
        space.api.watch(root, labelSelector="watch-this=b") as b,
        space.api.watch(root, labelSelector="watch-this in (a,b)") as both,
    ):
        make(space, "one", "a")
        change(space, "one", 1)
        change(space, "one", 2)
        space.api.delete(f"{root}/one")
        make(space, "two", "b")
        space.api.delete(f"{root}/two")
        of_a = [("ADDED", "one", ""), ("MODIFIED", "one", "1"), ("MODIFIED", "one", "2"), ("DELETED", "one", "2")]
        of_b = [("ADDED", "two", ""), ("DELETED", "two", "")]
        assert [told(event) for event in itertools.islice(a, 4)] == of_a
        assert [told(event) for event in itertools.islice(b, 2)] == of_b
        assert [told(event) for event in itertools.islice(both, 6)] == of_a + of_b


def test_a_watch_begins_at_a_version(space: Space) -> None:
    root = space.path("configmaps")
    make(space, "one", "a")
    first = change(space, "one", 1)
    change(space, "one", 2)
    space.api.delete(f"{root}/one")
    with space.api.watch(root, labelSelector="watch-this=a", resourceVersion=version(first)) as events:
        assert [told(event) for event in itertools.islice(events, 2)] == [
            ("MODIFIED", "one", "2"),
            ("DELETED", "one", "2"),
        ]


def test_a_watch_is_taken_up_again(space: Space) -> None:
    root = space.path("configmaps")
    with space.api.watch(root, labelSelector="watch-this=a") as events:
        make(space, "one", "a")
        change(space, "one", 1)
        last = list(itertools.islice(events, 2))[-1]
    change(space, "one", 2)
    space.api.delete(f"{root}/one")
    with space.api.watch(root, labelSelector="watch-this=a", resourceVersion=version(last["object"])) as events:
        assert [told(event) for event in itertools.islice(events, 2)] == [
            ("MODIFIED", "one", "2"),
            ("DELETED", "one", "2"),
        ]


def test_leaving_the_selector_is_a_deletion(space: Space) -> None:
    root = space.path("configmaps")
    with space.api.watch(root, labelSelector="watch-this=a") as events:
        make(space, "one", "a")
        change(space, "one", 1)
        gone = change(space, "one", 1, "other")
        change(space, "one", 2)
        change(space, "one", 2, "a")
        change(space, "one", 3)
        space.api.delete(f"{root}/one")
        seen = list(itertools.islice(events, 6))
    assert [told(event) for event in seen] == [
        ("ADDED", "one", ""),
        ("MODIFIED", "one", "1"),
        ("DELETED", "one", "1"),
        ("ADDED", "one", "2"),
        ("MODIFIED", "one", "3"),
        ("DELETED", "one", "3"),
    ]
    assert version(seen[2]["object"]) == version(gone)
    assert seen[2]["object"]["metadata"]["labels"] == {"watch-this": "a"}, "as it was when it matched"


def test_concurrent_watches_tell_the_same_order(space: Space) -> None:
    root, count = space.path("configmaps"), 20

    def write() -> None:
        for number in range(count):
            make(space, f"m{number}", "a")
            change(space, f"m{number}", number)
            if number % 2:
                space.api.delete(f"{root}/m{number}")

    total = count * 2 + count // 2
    begin = version(space.api.get(root))
    writer = threading.Thread(target=write)
    with space.api.watch(root, resourceVersion=begin, labelSelector="watch-this=a") as events:
        writer.start()
        order = [version(event["object"]) for event in itertools.islice(events, total)]
    writer.join()
    assert order == sorted(order, key=int)
    for start in range(0, total, 7):
        expect = order[start + 1 :]
        with space.api.watch(root, resourceVersion=order[start], labelSelector="watch-this=a") as events:
            assert [version(event["object"]) for event in itertools.islice(events, len(expect))] == expect


def test_a_list_in_chunks(space: Space) -> None:
    total, limit = 40, 17
    root = space.path("podtemplates")
    body = {"template": {"spec": {"containers": [{"name": "t", "image": "x"}]}}}
    for number in range(total):
        space.create("podtemplates", {"metadata": {"name": f"template-{number:04}"}, **body})
    found, token, first = [], None, None
    while True:
        page = space.api.get(root, limit=limit, continue_=token)
        meta = page["metadata"]
        first = first or meta["resourceVersion"]
        assert meta["resourceVersion"] == first
        found += [one["metadata"]["name"] for one in page["items"]]
        token = meta.get("continue")
        if not token:
            assert not meta.get("remainingItemCount")
            break
        assert len(page["items"]) == limit
        assert meta["remainingItemCount"] == total - len(found)
    assert found == [f"template-{number:04}" for number in range(total)]
    whole = space.api.get(root, limit=total + 1)
    assert len(whole["items"]) == total
    assert not whole["metadata"].get("continue")


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def test_tables(space: Space) -> None:
    """Pods' own columns, chunks of tables, and 406 where a table cannot be had."""
    name = unique("p")
    space.create(
        "pods",
        {
            "metadata": {"name": name},
            "spec": {"nodeSelector": {"no": "node"}, "containers": [{"name": "c", "image": "x"}]},
        },
    )
    table = space.api.ask("GET", space.path("pods", name), headers={"accept": TABLE})
    assert [column["name"] for column in table["columnDefinitions"]][:5] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert table["rows"][0]["cells"][:3] == [name, "0/1", "Pending"]
    page = space.api.ask("GET", space.path("configmaps"), headers={"accept": TABLE}, limit=1)
    assert page["kind"] == "Table"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
    answer = space.api.send(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        json.dumps(review).encode(),
        {"accept": TABLE},
    )
    assert answer.status == 406
    assert answer.object["reason"] == "NotAcceptable"
