"""CNI plugins as the pod network: what `--cni-conf-dir` names is used instead of our own links and addresses.

Keeps true: a sandbox is added once, and deleted by the very configuration it was added by, also after a restart.
Reads: the first network configuration of the folder, by name.  Writes: one small file per sandbox (`state_dir`).
Source: the CNI specification 1.0.0, "Execution Protocol"; libcni's order of files.
"""

import asyncio
import contextlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from steersman.network import bandwidth, namespaces, netlink
from steersman.network.pod_network import Pod

PLUGIN_DIRS = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
INTERFACE = "eth0"

_ENDINGS = (".conflist", ".conf", ".json")
_SECONDS_MAX = 60.0  # a plugin that hangs must not hold up the node for ever

Config = dict[str, Any]


class CniError(OSError):
    """A plugin said no, or there is none; in its own words."""


def load(folder: str | pathlib.Path) -> Config:
    """The network: name, version and plugins. Raises CniError."""
    found = sorted(path for path in pathlib.Path(folder).glob("*") if path.suffix in _ENDINGS)
    if not found:
        raise CniError(f"no networks found in {folder}")
    try:
        read: Config = msgspec.json.decode(found[0].read_bytes())
        plugins = read["plugins"] if found[0].suffix == ".conflist" else [read]
        if not plugins or not all(one["type"] for one in plugins):
            raise CniError(f"{found[0]}: a network needs plugins, and each a type")
        return {"name": read["name"], "cniVersion": read.get("cniVersion", "0.3.1"), "plugins": plugins}
    except (msgspec.DecodeError, KeyError, TypeError) as wrong:
        raise CniError(f"{found[0]}: {wrong}") from wrong


def request(network: Config, plugin: Config, capabilities: Config, previous: Config | None) -> Config:
    """What one plugin reads. Of the runtime's wishes it is told those it says it can fulfil."""
    wanted = {name for name, can in (plugin.get("capabilities") or {}).items() if can}
    told = {name: value for name, value in capabilities.items() if name in wanted and value}
    body = {**plugin, "name": network["name"], "cniVersion": network["cniVersion"]}
    if told:
        body["runtimeConfig"] = told
    if previous is not None:
        body["prevResult"] = previous
    return body


def capabilities(pod: Pod) -> Config:
    """Host ports and bandwidth, in CNI's words."""
    ports = [
        {
            "hostPort": one.host_port,
            "containerPort": one.container_port,
            "protocol": one.protocol.lower() or "tcp",
            "hostIP": one.host_address,
        }
        for one in pod.port_mappings
        if one.host_port
    ]
    rates: Config = {}
    for direction, limit in zip(("ingress", "egress"), bandwidth.limits(pod.annotations), strict=True):
        if limit is not None:
            rates |= {f"{direction}Rate": limit.rate * 8, f"{direction}Burst": limit.burst * 8}
    return {"portMappings": ports, "bandwidth": rates}


def addresses_of(result: Config) -> tuple[str, ...]:
    return tuple(str(one["address"]).partition("/")[0] for one in result.get("ips") or ())


def was_used(state_dir: str | pathlib.Path) -> bool:
    """Whether sandboxes of this node were added by plugins."""
    return (pathlib.Path(state_dir) / "cni").is_dir()


class CniNetwork:
    """Answers `containers.runtime.SandboxNetwork`. Plugins run in the node's network namespace: the calling process', or the one at
    `namespace`."""

    def __init__(
        self,
        conf_dir: str | pathlib.Path,
        *,
        state_dir: str | pathlib.Path,
        node_addresses: Sequence[str] = (),
        plugin_dirs: Sequence[str] = PLUGIN_DIRS,
        namespace: str | None = None,
    ) -> None:
        self._namespace = namespace
        self._conf_dir = conf_dir
        self._state = pathlib.Path(state_dir) / "cni"
        self._state.mkdir(parents=True, exist_ok=True)
        self._node_addresses = tuple(node_addresses)
        self._path = os.pathsep.join(plugin_dirs)

    def close(self) -> None:
        """Pods keep their network."""

    async def attach(self, sandbox_id: str, namespace_path: str, config: Pod) -> tuple[str, ...]:
        """Raises CniError; what was added until then is deleted again."""
        if config.host_network:
            return self._node_addresses
        known = self._known(sandbox_id)
        if known is not None and known.get("result") is not None:
            return addresses_of(known["result"])
        network, wishes = load(self._conf_dir), capabilities(config)
        names = {"K8S_POD_NAMESPACE": getattr(config, "namespace", ""), "K8S_POD_NAME": getattr(config, "name", "")}
        arguments = ";".join(f"{key}={value}" for key, value in {"IgnoreUnknown": "1", **names}.items())
        record: Config = {
            "network": network, "capabilities": wishes, "arguments": arguments, "namespace": namespace_path, "result": None,
        }  # fmt: skip
        self._write(sandbox_id, record)
        _raise_loopback(namespace_path)
        result: Config | None = None
        try:
            for plugin in network["plugins"]:
                result = await self._run("ADD", sandbox_id, record, plugin, result)
        except BaseException:
            await asyncio.shield(self.detach(sandbox_id, namespace_path))
            raise
        self._write(sandbox_id, {**record, "result": result})
        return addresses_of(result or {})

    async def detach(self, sandbox_id: str, namespace_path: str) -> None:
        record = self._known(sandbox_id)
        if record is None:
            return
        for plugin in reversed(record["network"]["plugins"]):
            await self._run("DEL", sandbox_id, record, plugin, record["result"])
        (self._state / sandbox_id).unlink(missing_ok=True)

    async def keep_only(self, sandbox_ids: Sequence[str]) -> None:
        for path in sorted(self._state.iterdir()):
            if path.name not in sandbox_ids:
                await self.detach(path.name, "")

    async def _run(
        self, command: str, sandbox_id: str, record: Config, plugin: Config, previous: Config | None
    ) -> Config | None:
        kind = str(plugin["type"])
        binary = shutil.which(kind, path=self._path)
        if binary is None:
            raise CniError(f"failed to find plugin {kind!r} in path {self._path}")
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": sandbox_id,
            "CNI_NETNS": record["namespace"] if pathlib.Path(record["namespace"]).exists() else "",
            "CNI_IFNAME": INTERFACE,
            "CNI_PATH": self._path,
            "CNI_ARGS": record["arguments"],
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        }
        body = msgspec.json.encode(request(record["network"], plugin, record["capabilities"], previous))
        try:
            code, output, complaint = await asyncio.to_thread(_executed, binary, environment, body, self._namespace)
        except subprocess.TimeoutExpired as late:
            raise CniError(
                f"plugin type={kind!r} failed ({command.lower()}): no answer in {_SECONDS_MAX:.0f} s"
            ) from late
        answer = _decoded(output)
        if code != 0:
            said = f"{answer.get('msg', '')} {answer.get('details', '')}".strip() or complaint or f"exit code {code}"
            raise CniError(f"plugin type={kind!r} failed ({command.lower()}): {said}")
        return answer or previous

    def _known(self, sandbox_id: str) -> Config | None:
        try:
            known: Config = msgspec.json.decode((self._state / sandbox_id).read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:  # cut short by a crash, so nothing was added by it yet
            return None
        return known

    def _write(self, sandbox_id: str, record: Config) -> None:
        """Whole or not at all."""
        fresh = self._state / f".{sandbox_id}"
        fresh.write_bytes(msgspec.json.encode(record))
        fresh.replace(self._state / sandbox_id)


def _executed(
    binary: str, environment: Mapping[str, str], body: bytes, namespace: str | None
) -> tuple[int, bytes, str]:
    """A child is born in the network namespace its thread is in."""
    with namespaces.entered(namespace) if namespace else contextlib.nullcontext():
        done = subprocess.run(
            [binary], env=environment, input=body, capture_output=True, timeout=_SECONDS_MAX, check=False
        )
    return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()


def _decoded(output: bytes) -> Config:
    if not output.strip():
        return {}
    try:
        answer: Config = msgspec.json.decode(output)
    except msgspec.DecodeError:
        return {"msg": output.decode(errors="replace").strip()}
    return answer


def _raise_loopback(namespace_path: str) -> None:
    with netlink.Netlink(namespace_path) as pod:
        loopback = pod.link("lo")
        assert loopback is not None
        pod.set_up(loopback.index)
