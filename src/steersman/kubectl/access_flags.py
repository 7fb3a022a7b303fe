"""Which server, as whom: kubeconfig files and the flags that override what they say. As client-go's clientcmd decides it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from steersman.client import kubeconfig, proxying
from steersman.client.access import Access
from steersman.client.kubeconfig import KubeconfigError
from steersman.kubectl import config_checks, config_reading, flags_shared
from steersman.kubectl.flags import Values
from steersman.kubectl.problems import CommandError
from steersman.meta import times
from steersman.meta.objects import Object

# What clientcmd falls back to without any kubeconfig.
DEFAULT_SERVER = "http://localhost:8080"


def paths(flags: Values, environment: Mapping[str, str]) -> list[Path]:
    chosen = flags["kubeconfig"]
    return [Path(chosen)] if chosen else kubeconfig.default_paths(environment)


def access(flags: Values, environment: Mapping[str, str]) -> Access:
    """Raises KubeconfigError, CommandError, Unreachable."""
    chosen = flags["kubeconfig"]
    if chosen and not Path(chosen).exists():
        raise CommandError(f"stat {chosen}: no such file or directory")
    config = kubeconfig.load(paths(flags, environment), read=config_reading.parse)
    name = flags["context"] or config["current-context"]
    context = kubeconfig.named(config, "contexts", name)
    if context is None and flags["context"]:
        raise CommandError(f"Error in configuration: context was not found for specified context: {name}", bare=True)
    if context is None and not (config["clusters"] or flags["server"]):
        with contextlib.suppress(KubeconfigError, OSError):
            return kubeconfig.in_pod(environment)
    return _access(config, context or {}, name, flags, environment)


def _access(config: Object, context: Object, name: str, flags: Values, environment: Mapping[str, str]) -> Access:
    """What the context, and flags before it, name."""
    cluster = flags["cluster"] or context.get("cluster", "")
    user = _flag(flags, "user") or context.get("user", "")
    found = kubeconfig.named(config, "users", user)
    where = with_cluster_flags(kubeconfig.named(config, "clusters", cluster) or {}, flags)
    who = with_user_flags(found or {}, flags)
    if not where and not cluster:
        where = {"server": DEFAULT_SERVER}
    config_checks.check(where, who, cluster, user)
    if found is None and _flag(flags, "user"):
        raise CommandError(f'auth info "{user}" does not exist')
    if not where.get("proxy-url"):
        where = {**where, "proxy-url": proxying.from_environment(where["server"], environment)}
    return kubeconfig.access_of(where, who, namespace=context.get("namespace", ""), context=name)


def with_cluster_flags(where: Object, flags: Values) -> Object:
    result = dict(where)
    if flags["server"]:
        result["server"] = flags["server"] if "://" in flags["server"] else f"http://{flags['server']}"
    if flags["tls-server-name"]:
        result["tls-server-name"] = flags["tls-server-name"]
    if flags["certificate-authority"]:
        result |= {"certificate-authority": flags["certificate-authority"], "certificate-authority-data": ""}
    if flags.changed("insecure-skip-tls-verify"):
        result["insecure-skip-tls-verify"] = flags["insecure-skip-tls-verify"]
        if flags["insecure-skip-tls-verify"]:
            result |= {"certificate-authority": "", "certificate-authority-data": ""}
    return result


# Flags of the user, and the fields they stand for.
_USER_FIELDS = {
    "token": "token",
    "username": "username",
    "password": "password",
    "client-certificate": "client-certificate",
    "client-key": "client-key",
    "as": "as",
    "as-uid": "as-uid",
    "as-group": "as-groups",
}


def with_user_flags(who: Object, flags: Values) -> Object:
    result = dict(who)
    for flag, field in _USER_FIELDS.items():
        value = flags["as-group"] if flag == "as-group" else _flag(flags, flag)
        if value:
            result[field] = list(value) if flag == "as-group" else value
    if _flag(flags, "token"):
        result["tokenFile"] = ""
    return result


def _flag(flags: Values, name: str) -> str:
    """A global flag's value, unless the verb has a flag of its own with that name (a binding's --user)."""
    return flags[name] if name in flags and flags.flags[name] in flags_shared.GLOBAL else ""


def timeout_seconds(flags: Values) -> float:
    """--request-timeout; 0 for none. Raises CommandError."""
    text = flags["request-timeout"]
    if text.lstrip("+-").isdecimal():
        return float(text)
    try:
        return times.parse_duration(text)
    except ValueError:
        raise CommandError(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding "
            "time unit (e.g. 1s | 2m | 3h)"
        ) from None
