"""kubeconfig files: which server, trusted how, as whom; read, merged and written so that other contexts survive.

Rules as in client-go's clientcmd: `$KUBECONFIG` is a list of files of which the first to name a thing wins; relative
paths in a file start at that file's folder; `*-data` fields are base64 and win over file names.
"""

import base64
import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steersman.client.access import Access
from steersman.meta.objects import Object

__all__ = [
    "Access",
    "KubeconfigError",
    "access",
    "build",
    "default_paths",
    "in_pod",
    "load",
    "merge",
    "named",
    "parse",
    "replace",
    "without",
    "write",
]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(Exception):
    """The file does not say what is asked; the text is clientcmd's where it has one."""


def default_paths(environment: Mapping[str, str]) -> list[Path]:
    """`$KUBECONFIG`'s files, or `~/.kube/config`."""
    listed = environment.get("KUBECONFIG", "")
    paths = [Path(part) for part in listed.split(os.pathsep) if part]
    return paths or [Path(environment.get("HOME", "~")).expanduser() / ".kube" / "config"]


def load(paths: list[Path]) -> Object:
    """One configuration from all files that exist, relative paths made absolute."""
    merged = _empty()
    for path in paths:
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue
        _merge_missing(merged, _absolute(parse(text, str(path)), path.parent.resolve()))
    return merged


def parse(text: str, source: str = "") -> Object:
    import yaml  # here: most processes know their access without a file

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(text, Loader=loader)
    except yaml.YAMLError as broken:
        raise KubeconfigError(f"error loading config file {source!r}: {broken}") from broken
    if found is None:
        return _empty()
    if not isinstance(found, dict):
        raise KubeconfigError(f"error loading config file {source!r}: not a mapping")
    return found


def access(config: Object, context: str = "", *, cluster: str = "", user: str = "", server: str = "") -> Access:
    """The access that a context (default: the current one) names; cluster, user and server as given instead of its own.

    Raises KubeconfigError.
    """
    name = context or config.get("current-context") or ""
    if not name:
        raise KubeconfigError("current-context is not set")
    chosen = named(config, "contexts", name)
    if chosen is None:
        raise KubeconfigError(f'context "{name}" does not exist')
    where = named(config, "clusters", cluster or chosen.get("cluster", ""))
    if server:
        where = {**(where or {}), "server": server}
    if where is None or not where.get("server"):
        raise KubeconfigError(f'cluster "{cluster or chosen.get("cluster", "")}" does not exist')
    who = named(config, "users", user or chosen.get("user", "")) or {}
    return Access(
        server=where["server"].rstrip("/"),
        authority=_content(where, "certificate-authority"),
        certificate=_content(who, "client-certificate"),
        key=_content(who, "client-key"),
        token=who.get("token", ""),
        token_file=who.get("tokenFile", ""),
        username=who.get("username", ""),
        password=who.get("password", ""),
        insecure=bool(where.get("insecure-skip-tls-verify")),
        server_name=where.get("tls-server-name", ""),
        namespace=chosen.get("namespace", ""),
        context=name,
    )


def in_pod(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """The access that every pod has: the service account's token and the cluster's CA."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise KubeconfigError(
            "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined"
        )
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        authority=(folder / "ca.crt").read_bytes(),
        token_file=str(folder / "token"),
        namespace=(folder / "namespace").read_text(),
    )


def build(name: str, access: Access, *, user: str = "") -> Object:
    """A configuration of one context, its PEM texts embedded."""
    user = user or name
    cluster = {"server": access.server} | _data("certificate-authority-data", access.authority)
    if access.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if access.server_name:
        cluster["tls-server-name"] = access.server_name
    who = _data("client-certificate-data", access.certificate) | _data("client-key-data", access.key)
    optional = {
        "token": access.token,
        "tokenFile": access.token_file,
        "username": access.username,
        "password": access.password,
    }
    who |= {key: value for key, value in optional.items() if value}
    context = {"cluster": name, "user": user} | ({"namespace": access.namespace} if access.namespace else {})
    return _empty() | {
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
        "users": [{"name": user, "user": who}],
    }


def merge(config: Object, added: Object, *, make_current: bool = True) -> Object:
    """`config` with the entries of `added` put in (same names replaced, everything else kept). A new value."""
    result = _empty() | config
    for section in ("clusters", "contexts", "users"):
        new = {entry["name"]: entry for entry in added.get(section) or []}
        kept = [new.pop(entry["name"], entry) for entry in result.get(section) or []]
        result[section] = kept + list(new.values())
    if make_current or not result.get("current-context"):
        result["current-context"] = added.get("current-context", "")
    return result


def without(config: Object, name: str) -> Object:
    """`config` without the context, cluster and users of that name that no other context uses. A new value."""
    gone = named(config, "contexts", name) or {}
    result = dict(config)
    result["contexts"] = [entry for entry in config.get("contexts") or [] if entry["name"] != name]
    for section, field in (("clusters", "cluster"), ("users", "user")):
        used = {(entry.get("context") or {}).get(field) for entry in result["contexts"]}
        drop = {gone.get(field, name)} - used
        result[section] = [entry for entry in config.get(section) or [] if entry["name"] not in drop]
    if result.get("current-context") == name:
        result["current-context"] = ""
    return result


def write(path: Path, config: Object) -> None:
    """Replace the file at once."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    replace(path, yaml.dump(config, Dumper=dumper, sort_keys=False))


def replace(path: Path, text: str) -> None:
    """Readers see the old or the new one; it is readable by its owner only."""
    path = path.resolve() if path.is_symlink() else path
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def named(config: Object, section: str, name: str) -> Object | None:
    """The body of one entry of `clusters`, `contexts` or `users`."""
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return entry.get(section.removesuffix("s")) or {}
    return None


def _empty() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [],
        "contexts": [],
        "current-context": "",
        "preferences": {},
        "users": [],
    }


def _merge_missing(config: Object, later: Object) -> None:
    for section in ("clusters", "contexts", "users"):
        known = {entry["name"] for entry in config[section]}
        config[section] = config[section] + [entry for entry in later.get(section) or [] if entry["name"] not in known]
    config["current-context"] = config["current-context"] or later.get("current-context") or ""


_FILE_FIELDS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}


def _absolute(config: Object, folder: Path) -> Object:
    result = dict(config)
    for section, fields in _FILE_FIELDS.items():
        field = section.removesuffix("s")
        entries = []
        for entry in config.get(section) or []:
            body = dict(entry.get(field) or {})
            body |= {key: str(folder / body[key]) for key in fields if body.get(key)}
            entries.append({**entry, field: body})
        result[section] = entries
    return result


def _content(body: Object, field: str) -> bytes:
    data = body.get(f"{field}-data")
    if data:
        return base64.b64decode(data)
    path = body.get(field)
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as missing:
        raise KubeconfigError(f"unable to read {field} {path} due to {missing}") from missing


def _data(field: str, pem: bytes) -> dict[str, Any]:
    return {field: base64.b64encode(pem).decode()} if pem else {}
