"""/healthz, /livez, /readyz and /version."""

import functools
import platform
from collections.abc import Callable

import orjson

from steersman.meta.objects import Object
from steersman.serving import health_slis, messages

Check = Callable[[], str]  # "" when well, else what is wrong


# Steps of the start, and upstream's names of what each of them stands for: monitoring and tests ask for these names.
HOOKS = {
    "bootstrap": (
        "poststarthook/bootstrap-controller",
        "poststarthook/start-system-namespaces-controller",
        "poststarthook/start-cluster-authentication-info-controller",
        "poststarthook/scheduling/bootstrap-system-priority-classes",
        "poststarthook/priority-and-fairness-config-producer",
        "poststarthook/rbac/bootstrap-roles",
    ),
    "addresses": ("poststarthook/start-service-ip-repair-controllers",),
    "rules": ("poststarthook/generic-apiserver-start-informers",),
    "definitions": (
        "poststarthook/start-apiextensions-informers",
        "poststarthook/start-apiextensions-controllers",
        "poststarthook/crd-informer-synced",
    ),
    "admission": ("poststarthook/start-kube-apiserver-admission-initializer",),
    "aggregation": (
        "poststarthook/start-kube-aggregator-informers",
        "poststarthook/apiservice-registration-controller",
        "poststarthook/apiservice-status-available-controller",
        "poststarthook/apiservice-status-local-available-controller",
        "poststarthook/apiservice-status-remote-available-controller",
        "poststarthook/apiservice-discovery-controller",
        "poststarthook/apiservice-openapi-controller",
        "poststarthook/apiservice-openapiv3-controller",
        "poststarthook/kube-apiserver-autoregistration",
        "autoregister-completion",
    ),
    "flows": ("poststarthook/priority-and-fairness-config-consumer",),
}


class Health:
    """Named checks, steps of the start, and checks that only readiness asks."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {"ping": lambda: "", "log": lambda: ""}
        self._only_ready: set[str] = set()
        self.slis = health_slis.HealthSlis()
        self._finished: set[str] = set()

    def add(self, name: str, check: Check, *, only_ready: bool = False) -> None:
        self._checks[name] = check
        if only_ready:
            self._only_ready.add(name)

    def add_steps(self) -> None:
        for step, names in HOOKS.items():
            for name in names:
                self._checks[name] = functools.partial(self._check_step, step)

    def _check_step(self, step: str) -> str:
        return "" if step in self._finished else "not finished"

    def names(self, start: str) -> list[str]:
        """The checks of `healthz`, `livez` or `readyz`."""
        return [key for key in self._checks if start == "readyz" or key not in self._only_ready]

    def finished(self, step: str) -> None:
        assert step in HOOKS, step
        self._finished.add(step)

    def answer(self, request: messages.Request) -> messages.Response | None:
        """None for a path that is no health check."""
        start, _, name = request.path.strip("/").partition("/")
        if start not in ("healthz", "livez", "readyz"):
            return None
        checks = {key: self._checks[key] for key in self.names(start)}
        if name:
            return _answer(checks[name]()) if name in checks else None
        parameters = request.parameters()
        excluded = dict.fromkeys(parameters.get("exclude", ()))
        results = {key: "" if key in excluded else check() for key, check in checks.items()}
        for key, wrong in results.items():
            if key not in excluded:
                self.slis.observe(key, start, healthy=not wrong)
        lines = [_line(key, wrong, excluded=key in excluded) for key, wrong in results.items()]
        unknown = ",".join(f'"{key}"' for key in excluded if key not in checks)
        if unknown:
            lines.append(f"warn: some health checks cannot be excluded: no matches for {unknown}")
        if any(results.values()):
            return _text(500, "\n".join([*lines, f"{start} check failed", ""]))
        verbose = "\n".join([*lines, f"{start} check passed", ""])
        return _text(200, verbose if "verbose" in parameters else "ok")


def _line(name: str, wrong: str, *, excluded: bool) -> str:
    """What is wrong says only the path of the check itself: this one is open to everybody."""
    if excluded:
        return f"[+]{name} excluded: ok"
    return f"[-]{name} failed: reason withheld" if wrong else f"[+]{name} ok"


def _answer(wrong: str) -> messages.Response:
    return _text(500, f"internal server error: {wrong}\n") if wrong else _text(200, "ok")


def _text(status: int, text: str) -> messages.Response:
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return messages.Response(status, headers, text.encode())


def version(release: str, started: str) -> Object:
    """What `/version` says: `release` is `1.37.0`."""
    major, minor, *_ = release.split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"v{release}+steersman",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": started,
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{machine}",
    }


def version_response(release: str, started: str) -> messages.Response:
    return messages.Response(200, {"content-type": "application/json"}, orjson.dumps(version(release, started)))
