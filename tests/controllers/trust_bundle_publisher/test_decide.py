"""The API servers' authority as a ClusterTrustBundle: one, and no other of that signer."""

from steersman import controllers
from steersman.api import kinds
from steersman.controllers.trust_bundle_publisher import decide
from steersman.controllers.trust_bundle_publisher.decide import Seen
from steersman.meta import objects
from tests.controllers import paper
from tests.controllers.certificates import requests

CA = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"


def bundle(name, root_ca=CA):
    spec = {"signerName": decide.SIGNER, "trustBundle": root_ca}
    return {"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": spec}


def test_its_name_holds_a_hash_of_it():
    # As printed by `printf '...' | sha256sum | cut -c 1-24`.
    assert decide.bundle_name("x") == "kubernetes.io:kube-apiserver-serving:2d711642b726b04401627ca9"


def told(*bundles):
    return [(type(one).__name__, getattr(one, "name", "")) for one in decide.decide(Seen(bundles, CA)).actions]


def test_decisions():
    name = decide.bundle_name(CA)
    assert told() == [("Create", "")]
    assert told(bundle(name)) == []
    assert told(bundle(name, "other")) == [("Update", "")]
    assert told(bundle(name), bundle("kubernetes.io:kube-apiserver-serving:old")) == [
        ("Delete", "kubernetes.io:kube-apiserver-serving:old")
    ]


def test_it_is_there_from_the_start_and_comes_back():
    async def story():
        root_ca = requests.authority()[0].decode()
        options = controllers.Options(root_ca=root_ca)
        async with paper.cluster(options) as cluster:
            for _ in range(2):
                await cluster.settle(1)
                [found] = await cluster.all(kinds.CLUSTER_TRUST_BUNDLE)
                assert objects.name(found) == decide.bundle_name(root_ca)
                await cluster.delete(kinds.CLUSTER_TRUST_BUNDLE, objects.name(found))

    paper.run(story)
