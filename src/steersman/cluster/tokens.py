"""`steersman token`: the tokens by which machines join, made, listed and deleted as by `kubeadm token`."""

import datetime
import hashlib
import http.client
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from steersman.aio.clock import SystemClock
from steersman.api import bootstrap_tokens
from steersman.cluster import options, paths, reach
from steersman.cluster.api_access import ApiAccess
from steersman.cluster.join import membership
from steersman.cluster.paths import Paths
from steersman.meta import errors, objects, times
from steersman.meta.objects import Object

SECRETS = f"/api/v1/namespaces/{bootstrap_tokens.NAMESPACE}/secrets"
PIN = "sha256:"


def create(
    name: str,
    data_dir: str | None,
    *,
    token: str,
    ttl_seconds: float,
    usages: Sequence[str],
    groups: Sequence[str],
    description: str,
    print_join_command: bool,
) -> int:
    """`token` "": a new one; `ttl_seconds` 0: for ever."""
    where = paths.of_cluster(name, data_dir)
    wanted = options.load(where.options)
    if print_join_command and wanted is not None and not wanted.is_open():
        return _refuse(
            f'Cluster "{name}" listens on {options.LOOPBACK} only: no machine can join it. '
            "Stop it, and start it with `steersman up -d --listen 0.0.0.0`."
        )
    clock = SystemClock()
    parts = bootstrap_tokens.parse(token) if token else (clock.suffix(6), clock.suffix(16))
    if parts is None:
        return _refuse(f'the bootstrap token "{token}" was not of the form "[a-z0-9]{{6}}.[a-z0-9]{{16}}"')
    expires = clock.now() + datetime.timedelta(seconds=ttl_seconds) if ttl_seconds else None
    made = bootstrap_tokens.secret(*parts, description=description, expires=expires, usages=usages, groups=groups)
    try:
        _access(where).ask(SECRETS, "POST", body=made)
    except errors.StatusError as refused:
        if refused.reason == "AlreadyExists":
            return _refuse(f'a token with id "{parts[0]}" already exists')
        return _refuse(str(refused))
    except (OSError, http.client.HTTPException):
        return _does_not_run(name, where)
    told = ".".join(parts)
    print(_join_command(where, wanted, told) if print_join_command and wanted else told)
    return 0


def generate() -> int:
    clock = SystemClock()
    print(f"{clock.suffix(6)}.{clock.suffix(16)}")
    return 0


def list_tokens(name: str, data_dir: str | None, output: str) -> int:
    where = paths.of_cluster(name, data_dir)
    try:
        found = _access(where).ask(SECRETS)["items"]
    except errors.StatusError as refused:
        return _refuse(str(refused))
    except (OSError, http.client.HTTPException):
        return _does_not_run(name, where)
    tokens = sorted((one for one in found if bootstrap_tokens.is_token(one)), key=objects.name)
    if output == "json":
        for one in tokens:
            print(json.dumps(as_json(one), indent=4))
    elif tokens:
        print(table(tokens, SystemClock().now()))
    return 0


def delete(names: Sequence[str], name: str, data_dir: str | None) -> int:
    """By token or by its id, its public part."""
    where = paths.of_cluster(name, data_dir)
    access = _access(where)
    for one in names:
        parts = bootstrap_tokens.parse(one)
        token_id = parts[0] if parts else one
        if not bootstrap_tokens.is_id(token_id):
            return _refuse(
                f'given token "{one}" didn\'t match pattern "[a-z0-9]{{6}}" or "[a-z0-9]{{6}}.[a-z0-9]{{16}}"'
            )
        try:
            access.ask(f"{SECRETS}/{bootstrap_tokens.NAME_PREFIX}{token_id}", "DELETE")
        except errors.StatusError as refused:
            return _refuse(f'failed to delete bootstrap token "{token_id}": {refused}')
        except (OSError, http.client.HTTPException):
            return _does_not_run(name, where)
        print(f'bootstrap token "{token_id}" deleted')
    return 0


def check_usages(text: str) -> tuple[str, ...]:
    """Raises ValueError."""
    found = tuple(text.split(",")) if text else ()
    for one in found:
        if one not in bootstrap_tokens.USAGES:
            raise ValueError(f'invalid usage: "{one}" (signing or authentication)')
    return found


def check_groups(text: str) -> tuple[str, ...]:
    """Raises ValueError."""
    found = tuple(text.split(",")) if text else ()
    for one in found:
        if not bootstrap_tokens.is_group(one):
            raise ValueError(f'bootstrap group "{one}" is invalid (must begin with {bootstrap_tokens.GROUP}:)')
    return found


def check_ttl(text: str) -> float:
    """Seconds. Raises ValueError."""
    seconds = times.parse_duration(text)
    if seconds < 0:
        raise ValueError("a token cannot end before it is made")
    return seconds


def pin_of(authority: bytes) -> str:
    """`sha256:` and the hash of the public key of a certificate (PEM): the same after it was renewed with its key."""
    key = x509.load_pem_x509_certificate(authority).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"{PIN}{hashlib.sha256(spki).hexdigest()}"


def table(tokens: Sequence[Object], now: datetime.datetime) -> str:
    """Columns as kubeadm's."""
    rows = [("TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS"), *(_row(one, now) for one in tokens)]
    widths = [max(7, *(len(row[at]) for row in rows)) + 3 for at in range(5)]
    lines = ("".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows)
    return "\n".join(lines)


def as_json(secret: Object) -> Object:
    found: dict[str, Any] = {
        "kind": "BootstrapToken",
        "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
        "token": _token(secret),
        "description": bootstrap_tokens.read(secret, "description"),
        "expires": bootstrap_tokens.read(secret, "expiration"),
        "usages": bootstrap_tokens.usages_of(secret),
        "groups": _groups(secret),
    }
    return {key: value for key, value in found.items() if value}


def _row(secret: Object, now: datetime.datetime) -> tuple[str, ...]:
    ttl, expires = "<forever>", "<never>"
    try:
        end = bootstrap_tokens.expiration(secret)
        if end is not None:
            ttl, expires = _short((end - now).total_seconds()), times.format_seconds(end)
    except ValueError:
        ttl, expires = "<invalid>", bootstrap_tokens.read(secret, "expiration")
    return (
        _token(secret),
        ttl,
        expires,
        ",".join(bootstrap_tokens.usages_of(secret)) or "<none>",
        bootstrap_tokens.read(secret, "description") or "<none>",
        ",".join(_groups(secret)) or "<none>",
    )


def _short(seconds: float) -> str:
    """As apimachinery's ShortHumanDuration."""
    if seconds < -1:
        return "<invalid>"
    left = max(0, int(seconds))
    for size, letter, most in ((1, "s", 60), (60, "m", 60), (3600, "h", 24), (86400, "d", 365)):
        if left // size < most:
            return f"{left // size}{letter}"
    return f"{left // (86400 * 365)}y"


def _token(secret: Object) -> str:
    return f"{bootstrap_tokens.read(secret, 'token-id')}.{bootstrap_tokens.read(secret, 'token-secret')}"


def _groups(secret: Object) -> list[str]:
    listed = bootstrap_tokens.read(secret, "auth-extra-groups")
    return listed.split(",") if listed else []


def _join_command(where: Paths, wanted: options.Options, token: str) -> str:
    pin = pin_of((where.pki / "ca.crt").read_bytes())
    url = f"https://{reach.advertised(wanted)}:{wanted.port}"
    return shlex.join(["steersman", "join", url, "--token", token, "--ca-cert-hash", pin])


def _access(where: Paths) -> ApiAccess:
    wanted = options.load(where.options)
    return ApiAccess(where, wanted.port if wanted else options.DEFAULT_PORT)


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


def _does_not_run(name: str, where: Paths) -> int:
    joined = membership.load(where)
    if joined is not None:
        return _refuse(
            f"This machine is node {joined.node} of {joined.server}: tokens are made on the machine that runs it."
        )
    print(f'Cluster "{name}" does not run. Start it with: script/up -d', file=sys.stderr)
    return 3
