"""Logins that programs beside the kubelet know (image credential providers), kept as long as they say.

Keeps true: one program runs once for all who ask for the same at the same time; what is kept for one service account is never
given to another. Reads: ServiceAccounts, tokens. Runs: the providers' programs. Source: upstream's credentialprovider/plugin.
"""

import asyncio
import dataclasses
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.containers.runtime import RegistryLogin
from steersman.kubelet.credentials import keyring, plugin
from steersman.kubelet.credentials.provider_config import OF_TOKEN, Provider, Tokens
from steersman.kubelet.pull_secrets import Credential
from steersman.kubelet.references import Token, Unavailable
from steersman.meta import objects
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

TOKEN_SECONDS = 3600  # what the API gives where nothing is asked for
KEPT_MOST = 1000
GLOBAL = "global"

Logins = Mapping[str, RegistryLogin]


class Accounts(Protocol):
    """Whom pods are (`References`)."""

    async def get(self, kind: str, namespace: str, name: str) -> Object | None: ...
    async def token(self, pod: Object, audience: str, expiration_seconds: int) -> Token: ...


@dataclasses.dataclass(frozen=True, slots=True)
class _Account:
    """The pod's service account, as a provider is told of it."""

    credential: Credential
    token: str
    annotations: tuple[tuple[str, str], ...]
    owner: str  # of what is kept: as much as the provider's cache type says
    is_shared: bool  # what is kept is for all pods of the account


class Providers:
    """`ask` runs a provider's program with a request (`plugin.ask`)."""

    def __init__(
        self,
        known: Sequence[Provider],
        ask: Callable[[Provider, Object], Awaitable[plugin.Response]],
        accounts: Accounts,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._known = sorted(known, key=lambda one: one.name)
        self._run_program = ask
        self._accounts = accounts
        self._clock = clock
        self._tasks = tasks
        self._kept: dict[tuple[str, str, str], tuple[Logins, float]] = {}
        self._asking: dict[tuple[str, str, str, str], asyncio.Task[plugin.Response | plugin.Failed]] = {}

    async def credentials(self, pod: Object, image: str) -> list[Credential]:
        """For an image by its name (no tag, no digest), the most exact first. A provider that fails is told of in the log only,
        as upstream's: the image may be public."""
        found: dict[str, list[Credential]] = {}
        for provider in self._known:
            if provider.is_for(image):
                for location, one in (await self._of(provider, pod, image)).items():
                    found.setdefault(location, []).append(one)
        return [one for several in keyring.fitting(found, image) for one in several]

    async def _of(self, provider: Provider, pod: Object, image: str) -> dict[str, Credential]:
        try:
            account = await self._account(provider.tokens, pod) if provider.tokens is not None else None
            logins = await self._logins(provider, image, account)
        except (plugin.Failed, Unavailable) as failure:
            _log.warning("%s: credential provider %s: %s", objects.key(pod), provider.name, failure)
            return {}
        whose = account.credential if account is not None else Credential(RegistryLogin())
        return {location: dataclasses.replace(whose, login=login) for location, login in logins.items()}

    async def _account(self, tokens: Tokens, pod: Object) -> _Account | None:
        """None: the provider does without. Raises Failed, Unavailable."""
        name, namespace = str(pod["spec"].get("serviceAccountName") or ""), objects.namespace(pod)
        if not name:
            if tokens.required:
                raise plugin.Failed(f"Service account name is empty for pod {objects.key(pod)}")
            return None
        account = await self._accounts.get("ServiceAccount", namespace, name)
        if account is None:
            raise plugin.Failed(f'serviceaccounts "{name}" not found')
        there = objects.annotations(account)
        for key in tokens.required_annotations:
            if key not in there:
                raise plugin.Failed(f"required annotation {key} not found")
        wanted = (*tokens.required_annotations, *tokens.optional_annotations)
        annotations = tuple(sorted((key, there[key]) for key in wanted if key in there))
        token = (await self._accounts.token(pod, tokens.audience, TOKEN_SECONDS)).text
        uid = objects.uid(account)
        owner: list[object] = [namespace, name, uid, annotations]
        is_shared = tokens.cache_type != OF_TOKEN
        if not is_shared:
            owner += [objects.name(pod), objects.uid(pod), _hash(token)]
        credential = Credential(RegistryLogin(), uid, name, namespace, is_of_account=True)
        return _Account(credential, token, annotations, json.dumps(owner), is_shared)

    async def _logins(self, provider: Provider, image: str, account: _Account | None) -> Logins:
        """Raises Failed."""
        owner = account.owner if account is not None else ""
        registry = image.partition("/")[0]
        for base in (image, registry, GLOBAL):
            kept = self._kept.get((provider.name, base, owner))
            if kept is not None and self._clock.monotonic() <= kept[1]:
                return kept[0]
        response = await self._ask(provider, image, account)
        if account is not None and account.is_shared:
            _check_no_echo(response, account.token, image)
        seconds = provider.cache_seconds if response.cache_seconds is None else response.cache_seconds
        if seconds > 0:
            base = {"Image": image, "Registry": registry, "Global": GLOBAL}[response.key]
            self._trim()
            self._kept[provider.name, base, owner] = response.logins, self._clock.monotonic() + seconds
        return response.logins

    async def _ask(self, provider: Provider, image: str, account: _Account | None) -> plugin.Response:
        token, annotations = (account.token, account.annotations) if account is not None else ("", ())
        key = provider.name, image, _hash(token), json.dumps(annotations)
        asking = self._asking.get(key)
        if asking is None:
            request = plugin.request_of(provider, image, token, dict(annotations))
            asking = self._asking[key] = self._tasks.start(
                f"credential provider {provider.name}", self._run(provider, request)
            )
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        found = await asyncio.shield(asking)
        if isinstance(found, plugin.Failed):
            raise found
        return found

    async def _run(self, provider: Provider, request: Object) -> plugin.Response | plugin.Failed:
        try:
            return await self._run_program(provider, request)
        except plugin.Failed as failure:
            return failure

    def _trim(self) -> None:
        now = self._clock.monotonic()
        if len(self._kept) >= KEPT_MOST:
            self._kept = {key: kept for key, kept in self._kept.items() if kept[1] >= now}
        while len(self._kept) >= KEPT_MOST:
            del self._kept[next(iter(self._kept))]


def _check_no_echo(response: plugin.Response, token: str, image: str) -> None:
    """A token is one pod's: it must not be kept for the others. Raises Failed."""
    if any(login.password == token for login in response.logins.values()):
        text = f'Credential provider plugin returned the service account token as the password for image "{image}"'
        raise plugin.Failed(f"{text}, which is not allowed when service account cache type is not set to 'Token'")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
