"""New Nodes take no pods yet; and admission plugins are switched on and off by name."""

import asyncio

import pytest

from steersman.apiserver.admission import switches
from tests.apiserver import kit

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def made(taints, **options):
    async def story():
        async with kit.Api(**options) as api:
            return await api.make("/api/v1/nodes", {"metadata": {"name": "n"}, "spec": {"taints": taints}})

    return asyncio.run(story())["spec"].get("taints") or []


@pytest.mark.parametrize(
    ("taints", "expected"),
    [
        pytest.param([], [NOT_READY], id="a new one"),
        pytest.param([NOT_READY], [NOT_READY], id="has it"),
        pytest.param([{**NOT_READY, "value": "x"}], [{**NOT_READY, "value": "x"}], id="key and effect tell them apart"),
        pytest.param(
            [{**NOT_READY, "effect": "NoExecute"}], [{**NOT_READY, "effect": "NoExecute"}, NOT_READY], id="not this one"
        ),
    ],
)
def test_a_new_node_takes_no_pods(taints, expected):
    assert made(taints) == expected


def test_a_plugin_that_is_switched_off_does_nothing():
    assert made([], admission=switches.of("", "TaintNodesByCondition")) == []


def test_every_name_is_that_of_a_plugin():
    async def story(chosen):
        async with kit.Api(admission=chosen) as api:
            return {plugin.name for plugin in api.server.plugins}

    assert asyncio.run(story(switches.DEFAULT)) - {""} == switches.ON
    every = switches.Switches(switches.OFF)
    assert asyncio.run(story(every)) - {""} == switches.ON | switches.OFF


@pytest.mark.parametrize(
    ("on", "off", "message"),
    [
        ("", "Nonsense,LimitRanger, Other", "no admission plugin that can be switched: Nonsense, Other"),
        ("LimitRanger", "Priority,LimitRanger", "enabled and disabled at once: LimitRanger"),
    ],
)
def test_wrong_names(on, off, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        switches.of(on, off)
