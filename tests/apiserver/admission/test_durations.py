"""How long admission took is told under upstream's names, for what was let through and what was refused."""

import asyncio

from tests.apiserver import kit

_NAME = "apiserver_admission_{}_admission_duration_seconds_count"


def counted(text):
    """Counts by line without their value."""
    lines = [line.rpartition(" ") for line in text.splitlines() if "_admission_duration_seconds_count" in line]
    return {name: int(value) for name, _, value in lines}


def test_steps_and_plugins_are_told_of():
    async def story():
        async with kit.Api() as api:
            await kit.with_account(api)
            before = counted((await api.ask("GET", "/metrics")).raw.decode())
            await api.make(kit.PODS, kit.pod("web"))
            refused = await api.ask("POST", kit.PODS, kit.pod("other", serviceAccountName="missing"))
            assert refused.status == 403
            after = counted((await api.ask("GET", "/metrics")).raw.decode())
            return {name: count - before.get(name, 0) for name, count in after.items()}

    more = asyncio.run(story())

    def of(what, name="", **labels):
        shown = {**({"name": name} if name else {}), **labels}
        return more.get(
            _NAME.format(what) + "{" + ",".join(f'{key}="{value}"' for key, value in shown.items()) + "}", 0
        )

    created = {"operation": "CREATE", "rejected": "false"}
    assert of("step", **created, type="admit") == of("step", **created, type="validate") == 1
    assert of("step", operation="CREATE", rejected="true", type="admit") == 1
    assert of("controller", "ServiceAccount", **created, type="admit") == 1
    assert of("controller", "ServiceAccount", operation="CREATE", rejected="true", type="admit") == 1
    assert of("controller", "PodSecurity", **created, type="validate") == 1
    assert not any('name=""' in line for line in more), "what has no name at upstream is in its step only"
