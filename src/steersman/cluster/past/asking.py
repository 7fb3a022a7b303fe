"""One way for these commands to reach the cluster's API server, and to say why they cannot."""

import contextlib
import http.client
import sys
from collections.abc import Iterator
from typing import Any

from steersman.cluster import api_access, options, paths
from steersman.cluster.api_access import ApiAccess
from steersman.cluster.past import naming
from steersman.meta import errors

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Failed(Exception):
    """Nothing can be answered; the text says why."""


def access(where: paths.Paths, name: str) -> tuple[ApiAccess, options.Options]:
    """Raises Failed where there is no such cluster."""
    known = options.load(where.in_use().options)
    if known is None:
        raise Failed(f'There is no cluster "{name}".')
    return ApiAccess(where.in_use(), known.port), known


def ask(
    api: ApiAccess, path: str, method: str = "GET", seconds: float = api_access.REQUEST_SECONDS_MAX
) -> dict[str, Any]:
    """Raises Failed."""
    try:
        return api.ask(path, method, seconds)
    except errors.StatusError as refusal:
        raise Failed(str(refusal)) from refusal
    except (OSError, http.client.HTTPException) as problem:
        raise Failed(f"The API server does not answer ({problem}); what runs, `steersman status` says.") from problem


def find(api: ApiAccess, words: tuple[str, ...], namespace: str) -> naming.Named:
    """Raises Failed."""
    try:
        return naming.named(words, namespace, ask(api, _DEFINITIONS)["items"])
    except naming.Unknown as why:
        raise Failed(str(why)) from why


@contextlib.contextmanager
def told() -> Iterator[None]:
    """A command that fails says why and ends with exit code 1."""
    try:
        yield
    except Failed as why:
        print(why, file=sys.stderr)
        sys.exit(1)
