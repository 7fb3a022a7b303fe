"""Who belongs to whom, and that nothing is left of what has gone."""

from hypothesis import given
from hypothesis import strategies as st

from steersman.apiserver.node_authorizer.graph import Graph, Thing

SECRET, CLAIM = Thing("secrets", "n", "s"), Thing("persistentvolumeclaims", "n", "c")
USES_SECRET, USES_CLAIM = [("secrets", "s")], [("persistentvolumeclaims", "c")]


def test_a_secret_belongs_to_the_nodes_of_the_pods_that_name_it():
    graph = Graph()
    graph.put_pod("n", "p", "node1", USES_SECRET, "m")
    assert graph.is_related("node1", SECRET)
    assert not graph.is_related("node2", SECRET)
    assert not graph.is_related("node1", SECRET._replace(namespace="other"))
    assert not graph.is_related("node1", SECRET._replace(resource="configmaps"))
    assert graph.is_related("node1", Thing("pods", "n", "p"))
    assert not graph.is_related("node2", Thing("pods", "n", "p"))


def test_as_long_as_one_pod_names_it():
    graph = Graph()
    for name in ("a", "b"):
        graph.put_pod("n", name, "node1", USES_SECRET * 2, "m")
    graph.remove_pod("n", "a")
    assert graph.is_related("node1", SECRET)
    graph.remove_pod("n", "b")
    assert not graph.is_related("node1", SECRET)
    assert graph.is_empty()


def test_a_pod_of_the_same_name_elsewhere_takes_the_rights_with_it():
    graph = Graph()
    graph.put_pod("n", "p", "node1", USES_SECRET, "m")
    graph.put_pod("n", "p", "node2", USES_CLAIM, "m")
    assert not graph.is_related("node1", SECRET)
    assert not graph.is_related("node2", SECRET)
    assert graph.is_related("node2", CLAIM)


def test_a_volume_and_its_secrets_belong_to_the_nodes_of_its_claim():
    graph = Graph()
    volume, secret = Thing("persistentvolumes", "", "v"), Thing("secrets", "o", "key")
    graph.put_volume("v", ("n", "c"), [("o", "key"), ("o", "")])
    assert not graph.is_related("node1", volume)
    assert not graph.is_related("node1", secret)
    graph.put_pod("n", "p", "node1", USES_CLAIM, "m")
    assert graph.is_related("node1", volume)
    assert graph.is_related("node1", secret)
    assert not graph.is_related("node2", volume)
    assert not graph.is_related("node2", secret)
    graph.put_volume("v", ("n", "other"), [])
    assert not graph.is_related("node1", volume)
    assert not graph.is_related("node1", secret)
    graph.remove_volume("v")
    graph.remove_pod("n", "p")
    assert graph.is_empty()


def test_what_names_its_node_itself():
    graph = Graph()
    attachment = Thing("volumeattachments", "", "a")
    graph.put_owned(attachment, "node1")
    assert graph.is_related("node1", attachment)
    assert not graph.is_related("node2", attachment)
    graph.put_owned(attachment, "")
    assert graph.is_empty()


NAMES = st.sampled_from(("a", "b", "c"))
RESOURCES = st.sampled_from(("secrets", "persistentvolumeclaims"))
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("pod"), NAMES, NAMES, st.lists(st.tuples(RESOURCES, NAMES), max_size=4)),
        st.tuples(st.just("no pod"), NAMES),
        st.tuples(st.just("volume"), NAMES, NAMES, st.lists(NAMES, max_size=2)),
        st.tuples(st.just("no volume"), NAMES),
    ),
    max_size=20,
)


@given(CHANGES)
def test_it_is_what_a_search_through_all_objects_finds(changes):
    graph, pods, volumes = Graph(), {}, {}
    for what, name, *more in changes:
        match what:
            case "pod":
                pods[name] = more
                graph.put_pod("n", name, more[0], more[1], "m")
            case "no pod":
                pods.pop(name, None)
                graph.remove_pod("n", name)
            case "volume":
                volumes[name] = more
                graph.put_volume(name, ("n", more[0]), [("n", one) for one in more[1]])
            case "no volume":
                volumes.pop(name, None)
                graph.remove_volume(name)
    for node in ("a", "b", "c"):
        named = {reference for where, references in pods.values() if where == node for reference in references}
        reached = {name for name, (claim, _) in volumes.items() if ("persistentvolumeclaims", claim) in named}
        named |= {("secrets", secret) for name in reached for secret in volumes[name][1]}
        for thing in ("a", "b", "c"):
            assert graph.is_related(node, Thing("persistentvolumes", "", thing)) == (thing in reached)
            for resource in ("secrets", "persistentvolumeclaims"):
                assert graph.is_related(node, Thing(resource, "n", thing)) == ((resource, thing) in named)
    for name in pods:
        graph.remove_pod("n", name)
    for name in volumes:
        graph.remove_volume(name)
    assert graph.is_empty()
