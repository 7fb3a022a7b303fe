"""/healthz, /livez, /readyz and /version."""

import platform
from collections.abc import Callable

import orjson

from steersman.meta.objects import Object
from steersman.serving import messages

Check = Callable[[], str]  # "" when well, else what is wrong


class Health:
    """Named checks; `not_live` names those that only readiness asks."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {"ping": lambda: ""}
        self._only_ready: set[str] = set()

    def add(self, name: str, check: Check, *, only_ready: bool = False) -> None:
        self._checks[name] = check
        if only_ready:
            self._only_ready.add(name)

    def answer(self, request: messages.Request) -> messages.Response | None:
        """None for a path that is no health check."""
        start, _, name = request.path.strip("/").partition("/")
        if start not in ("healthz", "livez", "readyz"):
            return None
        checks = {key: check for key, check in self._checks.items() if start == "readyz" or key not in self._only_ready}
        if name:
            if name not in checks:
                return None
            return _answer(checks[name](), "ok")
        parameters = request.parameters()
        excluded = set(parameters.get("exclude", ()))
        results = {key: "" if key in excluded else check() for key, check in checks.items()}
        lines = [_line(key, wrong, excluded=key in excluded) for key, wrong in results.items()]
        failed = [key for key, wrong in results.items() if wrong]
        if failed:
            return _text(500, "\n".join([*lines, f"{start} check failed", ""]))
        verbose = "\n".join([*lines, f"{start} check passed", ""])
        return _text(200, verbose if "verbose" in parameters else "ok")


def _line(name: str, wrong: str, *, excluded: bool) -> str:
    if excluded:
        return f"[+]{name} excluded: ok"
    return f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} ok"


def _answer(wrong: str, right: str) -> messages.Response:
    return _text(500, f"internal server error: {wrong}") if wrong else _text(200, right)


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
