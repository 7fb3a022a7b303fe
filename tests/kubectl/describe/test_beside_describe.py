"""Objects of every kind, described by our verb and by a real kubectl: both print the same."""

import pathlib
import re

import pytest

from steersman.testing import Cluster
from tests.kubectl.conftest import Done, Kubectl, made_equal

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

OBJECTS = pathlib.Path(__file__).with_name("objects.yaml").read_text()
THING = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""

# Together where that is possible: each line costs two processes.
LINES = """
describe ns/shown quota/rq quota/rq2 limits/lr cm/cm secret/sec sa/robot -n shown
describe pv,sc,csinode,ingressclass,pc,servicecidr
describe pvc,deploy,rs,sts,ds,job,cronjob,rc -n shown
describe svc,ing,netpol,pdb,hpa,endpoints,endpointslices -n shown
describe role/r rolebinding/rb clusterrole/cr clusterrole/admin clusterrolebinding/cluster-admin -n shown
describe thing,lease -A
describe pods -n shown --show-events=false
describe hpa.v1.autoscaling hpa -n shown
describe pods pla -n shown
describe pods nope -n shown
describe pods nope nope2 -n shown
describe deploy/web deploy/nope -n shown
describe
describe foo
describe pods -n nothing
describe pods -A -l a=zz
describe pods -n shown --as bob
"""
TIMES = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000|\b[\dhms]+(?=\))")


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Cluster) -> None:
    cluster.apply(THING)
    cluster.wait("customresourcedefinition/things.example.com", "Established")
    cluster.apply(OBJECTS)
    cluster.wait("pod/plain", "ContainersReady", namespace="shown")
    cluster.wait("pod/db-0", "Ready", namespace="shown")


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_both_describe_the_same(kubectl: Kubectl, line: str) -> None:
    kubectl.check_same(line)


def test_nodes_but_for_their_heartbeats(kubectl: Kubectl) -> None:
    line = "describe nodes --chunk-size=1"
    ours, theirs = kubectl.run(line), kubectl.real(line)
    assert timeless(ours) == timeless(theirs)
    assert "Non-terminated Pods:" in ours.out


def timeless(done: Done) -> Done:
    return made_equal(done._replace(out=TIMES.sub("TIME", done.out)))
