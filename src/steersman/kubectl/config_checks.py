"""What is wrong with a cluster's and a user's entry before they are used, in clientcmd's sentences. Pure, but for looking at files.

Source: client-go's tools/clientcmd/validation.go.
"""

from collections.abc import Iterator
from pathlib import Path

from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

MODES = ("Never", "IfAvailable", "Always")


def check(where: Object, who: Object, cluster: str, user: str) -> None:
    """Raises CommandError."""
    found = [*_of_user(who, user), *_of_cluster(where, cluster)]
    if len(found) == 1:
        raise CommandError(found[0])
    if found:
        raise CommandError("Error in configuration: \n" + "".join(f"* {one}\n" for one in found), bare=True)


def _of_cluster(where: Object, name: str) -> Iterator[str]:
    if not where.get("server"):
        yield f'no server found for cluster "{name}"' if name else "default cluster has no server defined"
    path = where.get("certificate-authority")
    if path and where.get("certificate-authority-data"):
        yield (
            f"certificate-authority-data and certificate-authority are both specified for {name}. "
            "certificate-authority-data will override."
        )
    if path:
        yield from _unreadable("certificate-authority", path, name)


def _of_user(who: Object, name: str) -> Iterator[str]:
    methods = ["token"] if who.get("token") else []
    if who.get("username") or who.get("password"):
        methods.append("basicAuth")
    if who.get("client-certificate") or who.get("client-certificate-data"):
        yield from _of_certificate(who, name)
    if who.get("exec"):
        yield from _of_plugin(who, name)
    if len(methods) > 1:
        yield f"more than one authentication method found for {name}; found [{' '.join(methods)}], only one is allowed"
    if (who.get("as-uid") or who.get("as-groups") or who.get("as-user-extra")) and not who.get("as"):
        yield f"requesting uid, groups or user-extra for {name} without impersonating a user"


def _of_certificate(who: Object, name: str) -> Iterator[str]:
    if who.get("client-certificate") and who.get("client-certificate-data"):
        yield f"client-cert-data and client-cert are both specified for {name}. client-cert-data will override."
    if who.get("client-key") and who.get("client-key-data"):
        yield f"client-key-data and client-key are both specified for {name}; client-key-data will override"
    if not (who.get("client-key") or who.get("client-key-data")):
        yield f"client-key-data or client-key must be specified for {name} to use the clientCert authentication method."
    for field, word in (("client-certificate", "client-cert"), ("client-key", "client-key")):
        if who.get(field):
            yield from _unreadable(word, who[field], name)


def _of_plugin(who: Object, name: str) -> Iterator[str]:
    plugin = who["exec"]
    if who.get("auth-provider"):
        yield f"authProvider cannot be provided in combination with an exec plugin for {name}"
    if not plugin.get("command"):
        yield f"command must be specified for {name} to use exec authentication plugin"
    if not plugin.get("apiVersion"):
        yield f"apiVersion must be specified for {name} to use exec authentication plugin"
    if any(not one.get("name") for one in plugin.get("env") or ()):
        yield f"env variable name must be specified for {name} to use exec authentication plugin"
    mode = plugin.get("interactiveMode", "")
    if not mode:
        yield f"interactiveMode must be specified for {name} to use exec authentication plugin"
    elif mode not in MODES:
        yield f'invalid interactiveMode for {name}: "{mode}"'


def _unreadable(what: str, path: str, name: str) -> Iterator[str]:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        yield f"unable to read {what} {path} for {name} due to open {path}: {why}"
