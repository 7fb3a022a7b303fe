"""Which program is asked, with what, how often, and for whom its answer is kept: after upstream's plugin_test.go."""

import dataclasses
import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.aio.tasks import Tasks
from steersman.containers.runtime import RegistryLogin
from steersman.kubelet.credentials import plugin
from steersman.kubelet.credentials.plugin import Response
from steersman.kubelet.credentials.provider_config import Provider, Tokens
from steersman.kubelet.credentials.providers import Providers
from steersman.kubelet.pull_secrets import Credential
from steersman.kubelet.references import Token, Unavailable
from steersman.meta.objects import Object
from tests.aio import virtual

APP, OTHER, ELSEWHERE = "registry.io/team/app", "registry.io/team/other", "elsewhere.io/app"
ASK = Provider("ask", ("registry.io", "elsewhere.io"), 60.0)
ANN = RegistryLogin("ann", "secret")


def pod(name: str = "web", account: str = "robot") -> Object:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"serviceAccountName": account},
    }


@dataclasses.dataclass
class Paper:
    """A program and an API on paper."""

    clock: VirtualClock
    response: Response | plugin.Failed = Response({"*.io": ANN}, "Image", None)
    requests: list[Object] = dataclasses.field(default_factory=list)
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)
    uid: str = "uid-robot"
    seconds: float = 0.0
    is_away: bool = False

    async def ask(self, provider: Provider, request: Object) -> Response:
        self.requests.append(request)
        await self.clock.sleep(self.seconds)
        if isinstance(self.response, plugin.Failed):
            raise self.response
        return self.response

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        if self.is_away:
            raise Unavailable("the API is away")
        if (kind, namespace, name) != ("ServiceAccount", "default", "robot"):
            return None
        return {"metadata": {"name": name, "namespace": namespace, "uid": self.uid, "annotations": self.annotations}}

    async def token(self, pod: Object, audience: str, expiration_seconds: int) -> Token:
        at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        return Token(f"token of {pod['metadata']['name']} for {audience}", at, at)


def run(test: Callable[[Paper, Providers], Awaitable[Any]], *known: Provider) -> None:
    async def body(clock: VirtualClock) -> None:
        paper = Paper(clock)
        async with Tasks("test") as tasks:
            await test(paper, Providers(known or (ASK,), paper.ask, paper, clock, tasks))

    virtual.run(body)


@pytest.mark.parametrize(
    ("key", "asked"),
    [("Image", [APP, OTHER, ELSEWHERE]), ("Registry", [APP, ELSEWHERE]), ("Global", [APP])],
)
def test_how_long_an_answer_is_good_for_what(key: str, asked: list[str]) -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        paper.response = Response({"*.io": ANN}, key, None)
        for _ in range(2):
            for image in (APP, OTHER, ELSEWHERE):
                assert await providers.credentials(pod(), image) == [Credential(ANN)]
        assert [one["image"] for one in paper.requests] == asked
        await paper.clock.sleep(61)
        await providers.credentials(pod(), APP)
        assert len(paper.requests) == len(asked) + 1

    run(test)


@pytest.mark.parametrize(("seconds", "asked"), [(0.0, 2), (None, 1), (5.0, 1)])
def test_the_answer_says_how_long_it_is_kept(seconds: float | None, asked: int) -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        paper.response = Response({"*.io": ANN}, "Image", seconds)
        await providers.credentials(pod(), APP)
        await providers.credentials(pod(), APP)
        assert len(paper.requests) == asked
        await paper.clock.sleep(6)
        await providers.credentials(pod(), APP)
        assert len(paper.requests) == asked + (seconds is not None)

    run(test)


def test_nothing_is_kept_where_nobody_says_how_long() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        await providers.credentials(pod(), APP)
        await providers.credentials(pod(), APP)
        assert len(paper.requests) == 2

    run(test, dataclasses.replace(ASK, cache_seconds=0.0))


def test_many_at_once_ask_once() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        paper.seconds = 1.0
        async with Tasks("pods") as pods:
            for number in range(5):
                pods.start(f"pod {number}", providers.credentials(pod(f"web-{number}"), APP))
            await pods.wait()
        assert len(paper.requests) == 1

    run(test)


def test_only_those_that_are_for_the_image() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        assert await providers.credentials(pod(), "quay.example/app") == []
        assert paper.requests == []
        paper.response = Response({"elsewhere.io": ANN}, "Image", None)
        assert await providers.credentials(pod(), APP) == []

    run(test)


def test_the_most_exact_of_all_answers_comes_first() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        bob = RegistryLogin("bob", "")
        paper.response = Response({"*.io": ANN, "registry.io/team": bob}, "Image", None)
        found = await providers.credentials(pod(), APP)
        assert [one.login for one in found] == [bob, bob, ANN, ANN]

    run(test, ASK, dataclasses.replace(ASK, name="second"))


def test_one_that_fails_is_passed_over_and_asked_again() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        paper.response = plugin.Failed("exit status 1")
        for _ in range(2):
            assert await providers.credentials(pod(), APP) == []
        assert len(paper.requests) == 2

    run(test)


def with_tokens(
    cache_type: str = "ServiceAccount", *, required: bool = True, **annotations: tuple[str, ...]
) -> Provider:
    return dataclasses.replace(ASK, tokens=Tokens("reg", cache_type, required, **annotations))


ROBOTS = Credential(ANN, "uid-robot", "robot", "default", is_of_account=True)


def test_a_provider_with_tokens_hears_who_the_pod_is() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        paper.annotations = {"a.io/b": "1", "a.io/c": "2", "a.io/d": "3"}
        assert await providers.credentials(pod(), APP) == [ROBOTS]
        assert paper.requests == [
            {
                "kind": "CredentialProviderRequest",
                "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                "image": APP,
                "serviceAccountToken": "token of web for reg",
                "serviceAccountAnnotations": {"a.io/b": "1", "a.io/c": "2"},
            }
        ]

    run(test, with_tokens(required_annotations=("a.io/b",), optional_annotations=("a.io/c", "a.io/x")))


@pytest.mark.parametrize(("cache_type", "asked"), [("ServiceAccount", 1), ("Token", 2)])
def test_for_whom_an_answer_is_kept(cache_type: str, asked: int) -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        for name in ("web", "db", "web"):
            assert await providers.credentials(pod(name), APP) == [ROBOTS]
        assert len(paper.requests) == asked
        paper.uid = "another robot"
        await providers.credentials(pod(), APP)
        assert len(paper.requests) == asked + 1
        paper.annotations = {"a.io/b": "changed"}
        await providers.credentials(pod(), APP)
        assert len(paper.requests) == asked + 2

    run(test, with_tokens(cache_type, optional_annotations=("a.io/b",)))


@pytest.mark.parametrize(("cache_type", "expect"), [("ServiceAccount", 0), ("Token", 1)])
def test_a_token_as_password_is_one_pods(cache_type: str, expect: int) -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        paper.response = Response({"*.io": RegistryLogin("_", "token of web for reg")}, "Image", None)
        assert len(await providers.credentials(pod(), APP)) == expect

    run(test, with_tokens(cache_type))


def test_whom_a_provider_with_tokens_is_not_asked_for() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        assert await providers.credentials(pod(account=""), APP) == []
        assert await providers.credentials(pod(account="unknown"), APP) == []
        assert await providers.credentials(pod(), APP) == [], "an annotation is missing"
        paper.is_away = True
        assert await providers.credentials(pod(), APP) == []
        assert paper.requests == []

    run(test, with_tokens(required_annotations=("a.io/b",)))


def test_a_static_pod_has_no_account() -> None:
    async def test(paper: Paper, providers: Providers) -> None:
        assert await providers.credentials(pod(account=""), APP) == [Credential(ANN)]
        assert "serviceAccountToken" not in paper.requests[0]

    run(test, with_tokens(required=False))
