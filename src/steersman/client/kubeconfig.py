"""kubeconfig files: which server, trusted how, as whom; read, merged and written so that other contexts survive.

Rules as in client-go's clientcmd: `$KUBECONFIG` is a list of files of which the first to name a thing wins; relative
paths in a file start at that file's folder; `*-data` fields are base64 and win over file names.
"""

import base64
import contextlib
import dataclasses
import datetime
import os
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steersman.client.access import Access
from steersman.meta.objects import Object

__all__ = [
    "Access",
    "KubeconfigError",
    "access",
    "access_of",
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


def load(paths: list[Path], read: Callable[[str, str], Object] | None = None) -> Object:
    """One configuration from all files that exist, relative paths made absolute. `read`: another `parse`."""
    merged = _empty()
    for path in paths:
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue
        _merge_missing(merged, _absolute((read or parse)(text, str(path)), path.parent.resolve()))
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


def access(config: Object, context: str = "") -> Access:
    """The access that a context (default: the current one) names. Raises KubeconfigError, Unreachable."""
    name = context or config.get("current-context") or ""
    if not name:
        raise KubeconfigError("current-context is not set")
    chosen = named(config, "contexts", name)
    if chosen is None:
        raise KubeconfigError(f'context "{name}" does not exist')
    where = named(config, "clusters", chosen.get("cluster", ""))
    if where is None or not where.get("server"):
        raise KubeconfigError(f'cluster "{chosen.get("cluster", "")}" does not exist')
    who = named(config, "users", chosen.get("user", "")) or {}
    return access_of(where, who, namespace=chosen.get("namespace", ""), context=name)


def access_of(where: Object, who: Object, *, namespace: str = "", context: str = "") -> Access:
    """Of a cluster's entry and a user's. A credential plugin is asked at once. Raises KubeconfigError, Unreachable."""
    found = Access(
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
        namespace=namespace,
        context=context,
        headers=_impersonation(who),
        proxy=where.get("proxy-url", ""),
    )
    return _lent(found, who["exec"], where) if who.get("exec") and not (found.token or found.token_file) else found


def _lent(found: Access, plugin: Object, where: Object) -> Access:
    """With what a credential plugin says; its token is asked for again when it has run out."""
    from steersman.client import exec_credentials

    asked = exec_credentials.Plugin(plugin, where)
    first = [asked.ask()]

    def lend() -> tuple[str, datetime.datetime | None]:
        credential = first.pop() if first else asked.ask()
        return credential.token, credential.until

    certificate, key = first[0].certificate or found.certificate, first[0].key or found.key
    lender = lend if first[0].token else None
    return dataclasses.replace(found, certificate=certificate, key=key, lender=lender)


def _impersonation(who: Object) -> tuple[tuple[str, str], ...]:
    """Headers; several values of one name stand in lines."""
    found = {
        "impersonate-user": who.get("as", ""),
        "impersonate-uid": who.get("as-uid", ""),
        "impersonate-group": "\n".join(who.get("as-groups") or ()),
    }
    for name, values in (who.get("as-user-extra") or {}).items():
        found[f"impersonate-extra-{urllib.parse.quote(name.lower(), safe='')}"] = "\n".join(values)
    return tuple((name, value) for name, value in found.items() if value)


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
    import tempfile

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
