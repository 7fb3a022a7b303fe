"""Where pods go, and which make room. What is scarce here is a resource of the test's own."""

from tests.conformance.live import IMAGE, Object, Space, condition, names, unique, wait, workload

PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
NODES = "/api/v1/nodes"


def node_names(space: Space) -> list[str]:
    return sorted(names(space.api.items(NODES)))


def unscheduled(space: Space, name: str) -> str:
    """Why it fits nowhere, once that is told."""

    def look() -> str:
        found = [
            one
            for one in space.get("pods", name).get("status", {}).get("conditions", [])
            if one["type"] == "PodScheduled"
        ]
        return str(found[0]["message"]) if found and found[0]["reason"] == "Unschedulable" else ""

    return wait(f"{name} fits nowhere", look)


def sized(name: str, resource: str = "", amount: str = "1", **spec: object) -> Object:
    resources = {"requests": {resource: amount}, "limits": {resource: amount}} if resource else {}
    main = {"name": "main", "image": IMAGE, "command": ["sleep", "1000000"], "resources": resources}
    return {
        "metadata": {"name": name, "labels": {"name": name}},
        "spec": {"containers": [main], "terminationGracePeriodSeconds": 0, **spec},
    }


class Scarce:
    """A resource that each node has `amount` of."""

    def __init__(self, space: Space, amount: int) -> None:
        self.space = space
        self.name = f"example.com/{unique('scarce')}"
        self._patch("add", str(amount))

    def __enter__(self) -> str:
        return self.name

    def __exit__(self, *_: object) -> None:
        self._patch("remove", None)

    def _patch(self, op: str, value: str | None) -> None:
        key = self.name.replace("/", "~1")
        change = [
            {"op": op, "path": f"/status/{place}/{key}"} | ({} if value is None else {"value": value})
            for place in ("capacity", "allocatable")
        ]
        for node in node_names(self.space):
            self.space.api.patch(f"{NODES}/{node}/status", change[:1], "json")
        for node in node_names(self.space):
            wait(
                "it is there",
                lambda: (self.name in self.space.api.get(f"{NODES}/{node}")["status"]["allocatable"]) == (op == "add"),
            )


def priority(space: Space, value: int) -> str:
    name = unique("priority")
    space.api.create(PRIORITIES, {"metadata": {"name": name}, "value": value})
    return name


def test_a_node_selector_that_matches_nothing(space: Space) -> None:
    space.create("pods", sized("restricted", nodeSelector={"label": "nonempty"}))
    said = unscheduled(space, "restricted")
    assert (
        said
        == "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_a_node_selector_that_matches(space: Space) -> None:
    label, node = unique("label"), node_names(space)[1]
    space.create("pods", sized("with-labels", nodeSelector={label: "42"}))
    unscheduled(space, "with-labels")
    space.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {label: "42"}}})
    assert space.running("with-labels")["spec"]["nodeName"] == node
    space.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {label: None}}})


def test_more_than_a_node_has(space: Space) -> None:
    allocatable = [one["status"]["allocatable"]["cpu"] for one in space.api.items(NODES)]
    assert allocatable
    space.create("pods", sized("additional", "cpu", "1000"))
    assert "2 Insufficient cpu" in unscheduled(space, "additional")


def port(number: int, address: str = "", protocol: str = "TCP") -> Object:
    return {"containerPort": 8080, "hostPort": number, "protocol": protocol} | ({"hostIP": address} if address else {})


def test_host_ports(space: Space) -> None:
    """The same port of other addresses or protocols is another one; that of all addresses is not."""
    node = node_names(space)[0]
    address = next(
        one["address"] for one in space.api.get(f"{NODES}/{node}")["status"]["addresses"] if one["type"] == "InternalIP"
    )
    selector = {"kubernetes.io/hostname": node}

    def with_port(name: str, *wanted: Object) -> None:
        body = sized(name, nodeSelector=selector)
        body["spec"]["containers"][0]["ports"] = list(wanted)
        space.create("pods", body)

    with_port("pod1", port(54323, "127.0.0.1"))
    with_port("pod2", port(54323, address))
    with_port("pod3", port(54323, address, "UDP"))
    for name in ("pod1", "pod2", "pod3"):
        assert space.running(name)["spec"]["nodeName"] == node
    with_port("pod4", port(54322))
    space.running("pod4")
    with_port("pod5", port(54322, address))
    assert "1 node(s) didn't have free ports for the requested pod ports" in unscheduled(space, "pod5")


def test_basic_preemption_and_its_condition(space: Space) -> None:
    low, high = priority(space, 1), priority(space, 1000)
    with Scarce(space, 1) as resource:
        for number, node in enumerate(node_names(space)):
            body = sized(f"low{number}", resource, priorityClassName=low, nodeSelector={"kubernetes.io/hostname": node})
            body["metadata"]["finalizers"] = ["example.com/test-finalizer"]
            space.create("pods", body)
            space.running(f"low{number}")
        space.create("pods", sized("preemptor", resource, priorityClassName=high))
        wait("a victim is told", lambda: victims(space))
        (victim,) = victims(space)
        target = next(
            one for one in space.get("pods", victim)["status"]["conditions"] if one["type"] == "DisruptionTarget"
        )
        assert (target["status"], target["reason"]) == ("True", "PreemptionByScheduler")
        wait("and deleted", lambda: space.get("pods", victim)["metadata"].get("deletionTimestamp"))
        for number in (0, 1):
            space.api.patch(space.path("pods", f"low{number}"), {"metadata": {"finalizers": None}})
        space.running("preemptor")
        wait("the victim is gone", lambda: victim not in names(space.items("pods")))
        space.api.delete(space.path("pods"), {"gracePeriodSeconds": 0})
    for name in (low, high):
        space.api.delete(f"{PRIORITIES}/{name}")


def victims(space: Space) -> list[str]:
    return [one["metadata"]["name"] for one in space.items("pods") if condition(one, "DisruptionTarget")]


def test_a_critical_pod_preempts(space: Space) -> None:
    low = priority(space, 1)
    with Scarce(space, 1) as resource:
        for number, node in enumerate(node_names(space)):
            space.create(
                "pods",
                sized(f"low{number}", resource, priorityClassName=low, nodeSelector={"kubernetes.io/hostname": node}),
            )
            space.running(f"low{number}")
        critical = Space(space.api, "kube-system")
        name = unique("critical-pod")
        critical.create("pods", sized(name, resource, priorityClassName="system-cluster-critical"))
        critical.running(name)
        wait("one made room", lambda: len(names(space.items("pods"))) == 1)
        critical.api.delete(critical.path("pods", name), {"gracePeriodSeconds": 0})
        space.api.delete(space.path("pods"), {"gracePeriodSeconds": 0})
    space.api.delete(f"{PRIORITIES}/{low}")


def test_the_path_of_preemptions(space: Space) -> None:
    """ReplicaSets of rising priority on one node of 1000: 5 × 100, 4 × 200 …; then one that needs what three low ones hold."""
    node = node_names(space)[0]
    classes = [priority(space, value) for value in (1, 2, 3, 4)]
    with Scarce(space, 1000) as resource:
        for number, (replicas, amount) in enumerate(((1, 200), (1, 300), (1, 450), (1, 500)), 1):
            body = workload(f"rs-pod{number}", replicas)
            spec = sized(
                "",
                resource,
                str(amount),
                priorityClassName=classes[number - 1],
                nodeSelector={"kubernetes.io/hostname": node},
            )["spec"]
            body["spec"]["template"]["spec"] = spec
            with space.api.watch(space.path("pods"), labelSelector=f"name=rs-pod{number}") as events:
                space.create("apps/v1/replicasets", body)
                assert any(condition(event["object"], "Ready") == "True" for event in events)
        wait("two made room", lambda: running(space) == {"rs-pod3", "rs-pod4"})
        for name in names(space.items("apps/v1/replicasets")):
            space.api.delete(space.path("apps/v1/replicasets", name), {"propagationPolicy": "Foreground"})
        wait("no pod is left", lambda: not space.items("pods"))
    for name in classes:
        space.api.delete(f"{PRIORITIES}/{name}")


def running(space: Space) -> set[str]:
    return {
        one["metadata"]["labels"]["name"]
        for one in space.items("pods")
        if condition(one, "Ready") == "True" and not one["metadata"].get("deletionTimestamp")
    }
