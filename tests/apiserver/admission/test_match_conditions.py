"""Match conditions of webhooks: what they see, and what follows when they have no value.

As test/e2e/apimachinery/webhook.go has them.
"""

import pytest

from steersman.meta.objects import Object
from tests.apiserver import kit
from tests.apiserver.admission.hooks import MUTATING, VALIDATING, Hooks, add, configure, deny, patch, rule


def conditions(*expressions: str) -> list[Object]:
    return [{"name": f"c{index}", "expression": text} for index, text in enumerate(expressions)]


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("object.metadata.name == 'a'", True),
        ("object.metadata.name == 'b'", False),
        ("request.operation == 'CREATE' && request.kind.kind == 'ConfigMap' && request.namespace == 'default'", True),
        ("request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups", True),
        ("oldObject == null && !request.dryRun", True),
        ("request.options.fieldManager == 'me'", True),
        ("authorizer.group('').resource('secrets').namespace('x').check('get').allowed()", True),
        ("authorizer.serviceAccount('default', 'nobody').group('').resource('secrets').check('get').allowed()", False),
        ("authorizer.requestResource.check('create').allowed()", True),
        ("authorizer.path('/healthz').check('get').allowed()", True),
    ],
)
async def test_what_conditions_see(api: kit.Api, hook: Hooks, expression: str, asked: bool):
    hook.answers["/no"] = deny("no")
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule(), matchConditions=conditions(expression)))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"), query="fieldManager=me")
    assert (answer.status, len(hook.asked)) == ((400, 1) if asked else (201, 0))


async def test_mutating_webhooks_have_conditions_too(api: kit.Api, hook: Hooks):
    hook.answers["/add"] = patch(add("/data/x", "1"))
    webhook = hook.webhook("/add", rule(), matchConditions=conditions("object.metadata.name != 'b'", "true"))
    await configure(api, MUTATING, "one", webhook)
    assert (await api.make(kit.MAPS, kit.config_map("a", y="2")))["data"] == {"x": "1", "y": "2"}
    assert (await api.make(kit.MAPS, kit.config_map("b", y="2")))["data"] == {"y": "2"}


async def test_an_error_is_for_the_failure_policy_unless_something_is_false(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("no")
    wrong = conditions("object.nope == 1")
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule(), matchConditions=wrong))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    why = "expression 'object.nope == 1' resulted in error: no such key: nope"
    assert answer.refusal == (403, "Forbidden", f'configmaps "a" is forbidden: {why}')
    await api.ask("DELETE", f"{VALIDATING}/one")
    await configure(api, VALIDATING, "two", hook.webhook("/no", rule(), matchConditions=wrong, failurePolicy="Ignore"))
    assert (await api.ask("POST", kit.MAPS, kit.config_map("a"))).status == 201
    await api.ask("DELETE", f"{VALIDATING}/two")
    either = conditions("object.nope == 1", "false")
    await configure(api, VALIDATING, "three", hook.webhook("/no", rule(), matchConditions=either))
    assert (await api.ask("POST", kit.MAPS, kit.config_map("b"))).status == 201
    assert hook.asked == []


async def test_conditions_that_do_not_compile_are_refused(api: kit.Api, hook: Hooks):
    body = {
        "metadata": {"name": "one"},
        "webhooks": [hook.webhook("/no", rule(), matchConditions=conditions("object.a > 'x' + 1", "'x'"))],
    }
    answer = await api.ask("POST", VALIDATING, body)
    assert answer.status == 422
    causes = answer.body["details"]["causes"]
    assert [cause["field"] for cause in causes] == [
        "webhooks[0].matchConditions[0].expression",
        "webhooks[0].matchConditions[1].expression",
    ]
    assert "compilation failed: ERROR: <input>:1:16: found no matching overload for '_+_'" in causes[0]["message"]
    assert causes[1]["message"] == "Invalid value: \"'x'\": must evaluate to bool but got string"
