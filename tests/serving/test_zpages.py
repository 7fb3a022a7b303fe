"""/statusz, /flagz and /metrics/slis, in upstream's forms and words."""

import datetime

import orjson
import pytest
import yaml

from steersman.meta import errors
from steersman.serving import health_slis, zpages
from steersman.serving.messages import Request

STARTED = datetime.datetime(2026, 10, 6, 21, 3, 43, tzinfo=datetime.UTC)
NOW = STARTED + datetime.timedelta(hours=1, minutes=2, seconds=16)
COMPONENT = zpages.Component("test-server", "1.37.0", STARTED, {"port": "1", "name": "x"})
PATHS = ("/", "/livez/ping", "/livez", "/readyz", "/api/v1", "/apis/a", "/openapi/v2", "/.well-known/x")
WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is "
    "for debugging purposes only.\n"
)


def ask(path, accept=""):
    found = zpages.answer(COMPONENT, Request("GET", path, headers={"accept": accept}), PATHS, NOW)
    assert found is not None
    return found


TEXT = ["", "text/plain", "text/plain;charset=utf-8", "*/*", "application/json;v=foo;g=config.k8s.io;as=Statusz,*/*"]


@pytest.mark.parametrize("accept", TEXT)
def test_status_as_text(accept):
    lines = ask("/statusz", accept).body.decode().splitlines(keepends=True)
    assert "".join(lines[:4]) == f"\ntest-server statusz\n{WARNING}\n"
    told = dict(line.rstrip("\n").split(": ", 1) for line in lines[4:])
    assert told.pop("Go version").startswith("python3.")
    assert told == {
        "Started": "Tue Oct  6 21:03:43 UTC 2026",
        "Up": "1 hr 02 min 16 sec",
        "Binary version": "1.37.0",
        "Emulation version": "1.37",
        "Paths": "/livez /readyz",
    }


def test_flags_as_text():
    assert ask("/flagz").body.decode() == f"\ntest-server flagz\n{WARNING}name=x\nport=1\n"


def wanted(kind, version="v1beta1", form="application/json"):
    return f"{form};v={version};g=config.k8s.io;as={kind}"


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
def test_as_objects(version):
    found = orjson.loads(ask("/statusz", f"text/html,{wanted('Statusz', version)}").body)
    assert found.pop("goVersion").startswith("python3.")
    assert found == {
        "kind": "Statusz",
        "apiVersion": f"config.k8s.io/{version}",
        "metadata": {"name": "test-server"},
        "startTime": "2026-10-06T21:03:43Z",
        "uptimeSeconds": 3736,
        "binaryVersion": "1.37.0",
        "emulationVersion": "1.37",
        "paths": ["/livez", "/readyz"],
    }
    flags = yaml.safe_load(ask("/flagz", wanted("Flagz", version, "application/yaml")).body)
    assert (flags["kind"], flags["flags"]) == ("Flagz", {"name": "x", "port": "1"})


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/json;v=v1beta1;g=config.k8s.io",
        wanted("Flagz"),
        wanted("Statusz", "v1"),
        "image/png",
    ],
)
def test_other_forms_are_refused(accept):
    with pytest.raises(errors.StatusError) as refused:
        ask("/statusz", accept)
    assert (refused.value.code, refused.value.reason) == (406, "NotAcceptable")


def test_other_paths_are_for_others():
    assert zpages.answer(COMPONENT, Request("GET", "/status"), PATHS, NOW) is None
    assert zpages.answer(COMPONENT, Request("POST", "/statusz"), PATHS, NOW) is None


def test_what_health_checks_have_said():
    slis = health_slis.HealthSlis()
    assert slis.answer().body == b""
    for name, kind, healthy in (("ping", "livez", True), ("ping", "livez", True), ("etcd", "readyz", False)):
        slis.observe(name, kind, healthy=healthy)
    assert slis.answer().body.decode().splitlines() == [
        "# HELP kubernetes_healthcheck [STABLE] This metric records the result of a single healthcheck.",
        "# TYPE kubernetes_healthcheck gauge",
        'kubernetes_healthcheck{name="etcd",type="readyz"} 0',
        'kubernetes_healthcheck{name="ping",type="livez"} 1',
        "# HELP kubernetes_healthchecks_total [STABLE] This metric records the results of all healthcheck.",
        "# TYPE kubernetes_healthchecks_total counter",
        'kubernetes_healthchecks_total{name="etcd",status="error",type="readyz"} 1',
        'kubernetes_healthchecks_total{name="ping",status="success",type="livez"} 2',
    ]
