"""CNI plugins instead of our own network: with one on paper (a script), and with Debian's where they are."""

import json
import pathlib
import sys

import pytest

from steersman.network import cni, namespaces
from tests.network import lab

SCRIPT = """#!{python}
import json, os, sys
body = json.load(sys.stdin)
with open(body["log"], "a") as log:
    print(json.dumps({{"env": {{k: v for k, v in os.environ.items() if k.startswith("CNI_")}}, "body": body}}), file=log)
if body.get("fails") == os.environ["CNI_COMMAND"]:
    print(json.dumps({{"code": 11, "msg": "not today", "details": "try later"}}))
    sys.exit(1)
if os.environ["CNI_COMMAND"] == "ADD":
    address = body.get("address") or body["prevResult"]["ips"][0]["address"]
    print(json.dumps({{"cniVersion": "1.0.0", "ips": [{{"address": address}}]}}))
"""


class Folder:
    """A configuration folder with plugins that write down what they are told."""

    def __init__(self, root: pathlib.Path) -> None:
        self.log = root / "log"
        self.conf, self.plugins, self.state = root / "net.d", root / "bin", root / "state"
        for folder in (self.conf, self.plugins):
            folder.mkdir()
        for name in ("first", "second"):
            path = self.plugins / name
            path.write_text(SCRIPT.format(python=sys.executable))
            path.chmod(0o755)

    def write(self, name: str = "10-net.conflist", **second: object) -> None:
        first = {"type": "first", "address": "10.1.2.3/24", "log": str(self.log)}
        second = {"type": "second", "capabilities": {"portMappings": True}, "log": str(self.log), **second}
        (self.conf / name).write_text(json.dumps({"name": "net", "cniVersion": "1.0.0", "plugins": [first, second]}))

    def network(self) -> cni.CniNetwork:
        return cni.CniNetwork(
            self.conf, state_dir=self.state, node_addresses=["1.1.1.1"], plugin_dirs=[str(self.plugins)]
        )

    def told(self) -> list[dict[str, dict[str, object]]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Folder:
    return Folder(tmp_path)


POD = lab.Pod("a", namespaces.OWN, [lab.PortMapping(80, 8080)], annotations={"kubernetes.io/egress-bandwidth": "1M"})


async def test_plugins_are_called_in_turn_and_back(folder: Folder):
    folder.write()
    network = folder.network()
    assert await network.attach("box", namespaces.OWN, POD) == ("10.1.2.3",)
    assert await folder.network().attach("box", namespaces.OWN, POD) == ("10.1.2.3",), "known after a restart"
    (folder.conf / "10-net.conflist").write_text("{}")  # what a sandbox was added by is what it is deleted by
    await folder.network().detach("box", namespaces.OWN)
    await network.detach("box", namespaces.OWN)
    calls = [(one["env"]["CNI_COMMAND"], one["body"]["type"]) for one in folder.told()]
    assert calls == [("ADD", "first"), ("ADD", "second"), ("DEL", "second"), ("DEL", "first")]
    first, second, *_ = folder.told()
    assert first["env"]["CNI_CONTAINERID"] == "box"
    assert first["env"]["CNI_IFNAME"] == "eth0"
    assert "runtimeConfig" not in first["body"]
    ports = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}]
    assert second["body"]["runtimeConfig"] == {"portMappings": ports}
    assert second["body"]["prevResult"]["ips"] == [{"address": "10.1.2.3/24"}]  # type: ignore[index]


async def test_a_refusal_is_told_and_undone(folder: Folder):
    folder.write(fails="ADD")
    with pytest.raises(cni.CniError, match=r"plugin type='second' failed \(add\): not today try later"):
        await folder.network().attach("box", namespaces.OWN, POD)
    assert [one["env"]["CNI_COMMAND"] for one in folder.told()] == ["ADD", "ADD", "DEL", "DEL"]
    assert list((folder.state / "cni").iterdir()) == []


async def test_sandboxes_that_are_gone_are_deleted_at_the_start(folder: Folder):
    folder.write()
    network = folder.network()
    for name in ("kept", "gone"):
        await network.attach(name, namespaces.OWN, POD)
    await folder.network().keep_only(["kept"])
    assert [path.name for path in (folder.state / "cni").iterdir()] == ["kept"]


async def test_the_hosts_network_needs_no_plugin(folder: Folder):
    assert await folder.network().attach("box", namespaces.OWN, lab.Pod("a", "", host_network=True)) == ("1.1.1.1",)


def test_what_is_no_configuration(folder: Folder):
    with pytest.raises(cni.CniError, match="no networks found in"):
        cni.load(folder.conf)
    folder.write("20-later.conflist")
    (folder.conf / "10-one.conf").write_text(json.dumps({"name": "one", "type": "bridge"}))
    assert cni.load(folder.conf)["plugins"] == [{"name": "one", "type": "bridge"}]
    (folder.conf / "00-bad.conflist").write_text('{"name": "x", "plugins": [{}]}')
    with pytest.raises(cni.CniError, match="00-bad"):
        cni.load(folder.conf)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(
    not pathlib.Path("/usr/lib/cni/bridge").exists(), reason="needs Debian's containernetworking-plugins"
)
async def test_debians_plugins(tmp_path: pathlib.Path):
    folder = tmp_path / "net.d"
    folder.mkdir()
    ranges = [[{"subnet": "10.9.0.0/24"}]]
    ipam = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(tmp_path / "ipam")}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
    (folder / "10.conflist").write_text(json.dumps({"name": "n", "cniVersion": "0.4.0", "plugins": [bridge]}))
    async with lab.opened(tmp_path) as here:
        one = await here.add_node(1)
        with namespaces.entered(one.namespace):
            pods = []
            for name in ("a", "b"):
                path = str(tmp_path / f"cni-{name}")
                namespaces.pin({"net": path})
                pods.append(lab.Pod(name, path))
        network = cni.CniNetwork(folder, state_dir=tmp_path, namespace=one.namespace)
        try:
            for pod in pods:
                (pod.address,) = await network.attach(pod.name, pod.namespace, pod)
            await here.serve_tcp(pods[0].namespace, 80, "a")
            assert await lab.ask_tcp(pods[1].namespace, pods[0].address, 80) == ("a", pods[1].address)
            await network.keep_only([])
            assert sorted(path.name for path in (tmp_path / "ipam" / "n").glob("10.*")) == []
        finally:
            for pod in pods:
                namespaces.unpin(pod.namespace)
