"""ValidatingAdmissionPolicies and MutatingAdmissionPolicies at work.

As test/e2e/apimachinery/validatingadmissionpolicy.go and mutatingadmissionpolicy.go have them.
"""
# ruff: noqa: E501 — messages are looked for as they are

from typing import Any

import pytest

from steersman.meta.objects import Object
from tests.apiserver import kit
from tests.apiserver.admission.hooks import MUTATING, Hooks, add, configure, patch, rule
from tests.apiserver.extensions import definitions
from tests.apiserver.extensions.definitions import CRONTABS, DEFINITIONS, crontab

GROUP = "/apis/admissionregistration.k8s.io/v1"
VALIDATING, VALIDATING_BINDINGS = f"{GROUP}/validatingadmissionpolicies", f"{GROUP}/validatingadmissionpolicybindings"
MUTATING_POLICIES, MUTATING_BINDINGS = f"{GROUP}/mutatingadmissionpolicies", f"{GROUP}/mutatingadmissionpolicybindings"


def policy(*validations: Object | str, rules: Any = None, name: str = "p", **spec: Any) -> Object:
    match = {"resourceRules": rules or [rule(operations="CREATE,UPDATE,DELETE")], **spec.pop("match", {})}
    listed = [{"expression": one} if isinstance(one, str) else one for one in validations]
    return {"metadata": {"name": name}, "spec": {"matchConstraints": match, "validations": listed, **spec}}


def binding(name: str = "b", of: str = "p", **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"policyName": of, "validationActions": ["Deny"], **spec}}


async def enforce(api: kit.Api, *validations: Object | str, of_binding: Object | None = None, **spec: Any) -> None:
    await api.make(VALIDATING, policy(*validations, **spec))
    await api.make(VALIDATING_BINDINGS, of_binding or binding())


async def put(api: kit.Api, name: str = "a", **data: str) -> kit.Answer:
    return await api.ask("POST", kit.MAPS, kit.config_map(name, None, **data))


def denied(why: str, name: str = "a") -> str:
    return f"configmaps \"{name}\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {why}"


async def test_a_denial(api: kit.Api):
    await enforce(api, {"expression": "object.metadata.name.startsWith('b')", "message": "wrong name"})
    refused = await put(api)
    assert refused.refusal == (422, "Invalid", denied("wrong name"))
    assert refused.body["details"] == {
        "name": "a",
        "kind": "configmaps",
        "causes": [{"message": "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: wrong name"}],
    }
    assert (await put(api, "b")).status == 201


MESSAGES: dict[str, tuple[Object, str]] = {
    "default": ({"expression": " object.data.n == '1' "}, "failed expression: object.data.n == '1'"),
    "expression": (
        {"expression": "false", "message": "m", "messageExpression": "'n is ' + object.data.n"}, "n is 2",
    ),
    "expression that fails": ({"expression": "false", "message": "m", "messageExpression": "object.nope"}, "m"),
    "expression of spaces": ({"expression": "false", "message": "m", "messageExpression": "'  '"}, "m"),
    "error": ({"expression": "object.nope == 1"}, "expression 'object.nope == 1' resulted in error: no such key: nope"),
    "composed": ({"expression": "variables.n == 1", "messageExpression": "string(variables.n)"}, "2"),
}  # fmt: skip


@pytest.mark.parametrize(("validation", "why"), MESSAGES.values(), ids=MESSAGES)
async def test_messages(api: kit.Api, validation: Object, why: str):
    variables = [{"name": "n", "expression": "int(object.data.n)"}, {"name": "unused", "expression": "1 / 0"}]
    if "object.nope" in str(validation.get("messageExpression")):
        validation = {**validation, "messageExpression": "string(object.nope)"}
    await enforce(api, validation, variables=variables)
    assert (await put(api, n="2")).refusal == (422, "Invalid", denied(why))


@pytest.mark.parametrize(
    ("reason", "code"), [("Unauthorized", 401), ("Forbidden", 403), ("RequestEntityTooLarge", 413), ("Invalid", 422)]
)
async def test_reasons(api: kit.Api, reason: str, code: int):
    await enforce(api, {"expression": "false", "message": "m", "reason": reason})
    assert (await put(api)).refusal == (code, reason, denied("m"))


async def test_variables_of_a_policy_see_those_before_them(api: kit.Api):
    variables = [
        {"name": "names", "expression": "object.data.map(k, k)"},
        {"name": "count", "expression": "size(variables.names)"},
    ]
    await enforce(api, "variables.count == 2 && has(variables.names)", variables=variables)
    assert (await put(api, a="1", b="2")).status == 201
    assert (await put(api, "c", a="1")).status == 422


async def test_what_expressions_see(api: kit.Api):
    await api.make("/api/v1/namespaces", {"metadata": {"name": "team", "labels": {"env": "test"}}})
    expression = (
        "namespaceObject.metadata.labels.env == 'test' && namespaceObject.status.phase == 'Active'"
        " && namespaceObject.metadata.creationTimestamp > timestamp('2020-01-01T00:00:00Z')"
        " && request.userInfo.username == 'admin' && request.kind.kind == 'ConfigMap' && oldObject == null"
        " && authorizer.requestResource.check('create').allowed()"
        " && !authorizer.serviceAccount('a', 'b').group('').resource('pods').check('delete').allowed()"
    )
    await enforce(api, expression, match={"namespaceSelector": {"matchLabels": {"env": "test"}}})
    assert (await api.ask("POST", "/api/v1/namespaces/team/configmaps", kit.config_map("a"))).status == 201
    assert (await put(api)).status == 201  # another namespace: not its business


async def test_updates_and_deletions(api: kit.Api):
    await api.make(kit.MAPS, kit.config_map("a", n="1"))
    await enforce(
        api,
        {"expression": "request.operation != 'UPDATE' || object.data.n >= oldObject.data.n", "message": "shrinks"},
        {"expression": "request.operation != 'DELETE' || !has(oldObject.metadata.labels)", "message": "stays"},
    )
    shrunk = await api.ask("PATCH", f"{kit.MAPS}/a", {"data": {"n": "0"}}, headers=kit.MERGE)
    assert shrunk.refusal == (422, "Invalid", denied("shrinks"))
    await api.ask("PATCH", f"{kit.MAPS}/a", {"metadata": {"labels": {"x": "y"}}}, headers=kit.MERGE)
    assert (await api.ask("DELETE", f"{kit.MAPS}/a")).refusal == (422, "Invalid", denied("stays"))


async def test_warnings_instead_of_denials(api: kit.Api):
    await enforce(api, {"expression": "false", "message": "m"}, of_binding=binding(validationActions=["Warn", "Audit"]))
    answer = await put(api)
    told = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': m"
    assert (answer.status, answer.headers["warning"]) == (201, f'299 - "{told}"')


async def test_failures_and_the_failure_policy(api: kit.Api):
    await enforce(api, "object.nope == 1", failurePolicy="Ignore")
    assert (await put(api)).status == 201


async def test_match_conditions(api: kit.Api):
    conditions = [{"name": "c", "expression": "object.metadata.name != 'a'"}]
    await enforce(api, "false", matchConditions=conditions)
    assert (await put(api)).status == 201
    assert (await put(api, "b")).status == 422


async def test_a_policy_without_binding_does_nothing_and_a_binding_narrows(api: kit.Api):
    await api.make(VALIDATING, policy("false"))
    assert (await put(api)).status == 201
    narrow = binding(matchResources={"objectSelector": {"matchLabels": {"strict": "yes"}}})
    await api.make(VALIDATING_BINDINGS, narrow)
    assert (await put(api, "b")).status == 201
    strict = {**kit.config_map("c"), "metadata": {"name": "c", "labels": {"strict": "yes"}}}
    assert (await api.ask("POST", kit.MAPS, strict)).status == 422
    await api.ask("DELETE", f"{VALIDATING_BINDINGS}/b")
    assert (await api.ask("POST", kit.MAPS, strict)).status == 201


async def test_rules_with_names_and_exclusions(api: kit.Api):
    await enforce(api, "false", rules=[rule() | {"resourceNames": ["a", "b"]}], match={
        "excludeResourceRules": [rule() | {"resourceNames": ["b"]}],
    })  # fmt: skip
    assert [(await put(api, name)).status for name in "abc"] == [422, 201, 201]


async def test_a_changed_policy_counts_at_once(api: kit.Api):
    await enforce(api, "false")
    assert (await put(api)).status == 422
    changed = {"spec": {"validations": [{"expression": "true"}]}}
    assert (await api.ask("PATCH", f"{VALIDATING}/p", changed, headers=kit.MERGE)).body["metadata"]["generation"] == 2
    assert (await put(api)).status == 201


async def test_policies_are_not_about_themselves(api: kit.Api):
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    await enforce(api, "false", rules=[everything])
    assert (await put(api)).status == 422
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    asked = await api.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert asked.body["status"]["allowed"] is True
    assert (await api.ask("DELETE", f"{VALIDATING}/p")).status == 200
    assert (await put(api)).status == 201


# Parameters.


def with_params(**ref: Any) -> Object:
    return binding(paramRef={"parameterNotFoundAction": "Deny", **ref})


PARAMS = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}


async def test_parameters_by_name(api: kit.Api):
    await api.make(kit.MAPS, kit.config_map("limit", max="3"))
    small = "!has(object.data) || size(object.data.v) <= int(params.data.max)"
    await enforce(api, small, of_binding=with_params(name="limit"), **PARAMS)
    assert (await put(api, v="abc")).status == 201
    assert (await put(api, "b", v="abcd")).refusal[0] == 422


async def test_parameters_by_selector_are_each_asked(api: kit.Api):
    for name, allowed in (("one", "a"), ("two", "b")):
        labelled = {**kit.config_map(name, allowed=allowed), "metadata": {"name": name, "labels": {"for": "p"}}}
        await api.make(kit.MAPS, labelled)
    chosen = with_params(selector={"matchLabels": {"for": "p"}}, namespace="default")
    validation = {
        "expression": "object.data.v != params.data.allowed",
        "messageExpression": "'not ' + params.data.allowed",
    }
    await enforce(api, validation, of_binding=chosen, **PARAMS)
    assert (await put(api, v="c")).status == 201
    assert (await put(api, "x", v="b")).refusal == (422, "Invalid", denied("not b", "x"))


@pytest.mark.parametrize(
    ("ref", "status", "why"),
    [
        ({"name": "nope"}, 422, "no params found for policy binding with `Deny` parameterNotFoundAction"),
        ({"name": "nope", "parameterNotFoundAction": "Allow"}, 201, ""),
    ],
)
async def test_parameters_that_are_not_there(api: kit.Api, ref: Object, status: int, why: str):
    await enforce(api, "false", of_binding=with_params(**ref), **PARAMS)
    answer = await put(api)
    assert answer.status == status
    if why:
        assert answer.refusal == (422, "Invalid", denied(f"failed to configure binding: {why}"))


async def test_a_kind_of_parameters_that_nobody_knows(api: kit.Api):
    kind = {"paramKind": {"apiVersion": "x.example.com/v1", "kind": "Limit"}}
    await enforce(api, "true", of_binding=with_params(name="a"), **kind)
    why = "failed to configure binding: paramKind kind `&ParamKind{APIVersion:x.example.com/v1,Kind:Limit,}` not known"
    assert (await put(api)).refusal == (422, "Invalid", denied(why))


async def test_custom_resources_as_objects_and_as_parameters(api: kit.Api):
    await api.make(DEFINITIONS, definitions.definition())
    await api.make(CRONTABS, crontab("limit", replicas=3))
    kind = {"paramKind": {"apiVersion": "stable.example.com/v1", "kind": "CronTab"}}
    about = rule("crontabs", groups="stable.example.com")
    small = "object.spec.replicas <= params.spec.replicas"
    await enforce(api, small, of_binding=with_params(name="limit"), rules=[about], **kind)
    assert (await api.ask("POST", CRONTABS, crontab("a", replicas=3))).status == 201
    assert (await api.ask("POST", CRONTABS, crontab("b", replicas=4))).status == 422


async def test_subresources(api: kit.Api):
    await api.make(kit.DEPLOYMENTS, kit.deployment("web"))
    small = {"expression": "object.spec.replicas < 5", "message": "too many"}
    await enforce(api, small, rules=[rule("deployments/scale", "UPDATE", "apps")])
    scaled = {"spec": {"replicas": 9}}
    refused = await api.ask("PATCH", f"{kit.DEPLOYMENTS}/web/scale", scaled, headers=kit.MERGE)
    assert refused.status == 422
    assert refused.body["message"].endswith("denied request: too many")


# Mutation.


def mutation(*mutations: Object, rules: Any = None, name: str = "m", **spec: Any) -> Object:
    match = {"resourceRules": rules or [rule()], **spec.pop("match", {})}
    return {
        "metadata": {"name": name},
        "spec": {"matchConstraints": match, "mutations": list(mutations), "reinvocationPolicy": "Never", **spec},
    }


def apply(expression: str) -> Object:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def json_patch(expression: str) -> Object:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def change(api: kit.Api, *mutations: Object, **spec: Any) -> None:
    made = mutation(*mutations, **spec)
    await api.make(MUTATING_POLICIES, made)
    name = made["metadata"]["name"]
    await api.make(MUTATING_BINDINGS, {"metadata": {"name": f"{name}-b"}, "spec": {"policyName": name}})


async def test_an_apply_configuration(api: kit.Api):
    await change(
        api,
        apply("Object{metadata: Object.metadata{labels: Object.metadata.labels{env: 'test'}}}"),
        apply("Object{data: {'n': string(size(object.metadata.labels)), 'x': 'new'}}"),
    )
    made = await api.make(kit.MAPS, kit.config_map("a", x="old", y="kept"))
    assert made["metadata"]["labels"] == {"env": "test"}
    assert made["data"] == {"n": "1", "x": "new", "y": "kept"}


async def test_a_sidecar(api: kit.Api):
    """The example of the documentation: list items are merged by their keys."""
    made_of = "Object.spec.initContainers{name: 'mesh', image: 'mesh:1', restartPolicy: 'Always'}"
    there = "object.spec.?initContainers.orValue([]).exists(c, c.name == 'mesh')"
    added = f"{there} ? Object{{}} : Object{{spec: Object.spec{{initContainers: [{made_of}]}}}}"
    await change(api, apply(added), rules=[rule("pods")])
    await kit.with_account(api)
    made = await api.make(kit.PODS, kit.pod("a"))
    assert [(one["name"], one["image"], one["restartPolicy"]) for one in made["spec"]["initContainers"]] == [
        ("mesh", "mesh:1", "Always")
    ]
    assert made["spec"]["initContainers"][0]["terminationMessagePath"] == "/dev/termination-log"


async def test_a_json_patch(api: kit.Api):
    await change(
        api,
        json_patch(
            "[JSONPatch{op: 'test', path: '/data/x', value: 'old'},"
            " JSONPatch{op: 'replace', path: '/data/x', value: 'new'},"
            " JSONPatch{op: 'add', path: '/metadata/labels', value: {}},"
            " JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: 'c'}]"
        ),
    )
    made = await api.make(kit.MAPS, kit.config_map("a", x="old"))
    assert (made["data"], made["metadata"]["labels"]) == ({"x": "new"}, {"a/b": "c"})
    assert (await api.make(kit.MAPS, kit.config_map("b", x="other")))["data"] == {"x": "other"}


WRONG: dict[str, tuple[Object, str]] = {
    "error": (
        apply("Object{data: {'x': object.nope}}"),
        "expression 'Object{data: {'x': object.nope}}' resulted in error: no such key: nope",
    ),
    "no such field": (
        apply("Object{nope: 1}"),
        "error applying patch: failed to convert patch object to typed object: .nope: field not declared in schema",
    ),
    "message in the wrong place": (
        apply("Object{metadata: Object.spec{}}"),
        'type mismatch: unexpected type name "Object.spec", expected "Object.metadata", '
        "which matches field name path from root Object type",
    ),
    "no such path": (json_patch("[JSONPatch{op: 'remove', path: '/data/nope'}]"), "JSONPath: Unable to remove nonexistent key: nope: missing value"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "why"), WRONG.values(), ids=WRONG)
async def test_mutations_that_fail(api: kit.Api, wrong: Object, why: str):
    await change(api, wrong)
    refused = await put(api, x="1")
    message = f"policy 'm' with binding 'm-b' denied request: {why}"
    assert refused.refusal == (403, "Invalid", message)
    assert refused.body["details"]["causes"] == [{"message": message}]


async def test_what_is_atomic_cannot_be_merged(api: kit.Api):
    await change(
        api,
        apply("Object{spec: Object.spec{tolerations: [Object.spec.tolerations{operator: 'Exists'}]}}"),
        rules=[rule("pods")],
    )
    await kit.with_account(api)
    refused = await api.ask("POST", kit.PODS, kit.pod("a"))
    assert refused.body["message"].endswith(
        "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.tolerations"
    )


async def test_a_failure_that_is_ignored(api: kit.Api):
    await change(api, apply("Object{nope: 1}"), failurePolicy="Ignore")
    assert (await put(api)).status == 201


async def test_conditions_and_variables_of_mutations(api: kit.Api):
    await change(
        api,
        apply("Object{data: {'n': variables.n}}"),
        matchConditions=[{"name": "c", "expression": "!has(object.data.n)"}],
        variables=[{"name": "n", "expression": "request.namespace"}],
    )
    assert (await api.make(kit.MAPS, kit.config_map("a", x="1")))["data"] == {"n": "default", "x": "1"}
    assert (await api.make(kit.MAPS, kit.config_map("b", n="1")))["data"] == {"n": "1"}


@pytest.mark.parametrize(("again", "expected"), [("IfNeeded", "hook"), ("Never", "")])
async def test_reinvocation(api: kit.Api, hook: Hooks, again: str, expected: str):
    """The policy sees what the webhook after it made only if it asked for a second round."""
    hook.answers["/add"] = patch(add("/data/by", "hook"))
    await configure(api, MUTATING, "one", hook.webhook("/add", rule()))
    await change(api, apply("Object{data: {'saw': object.data.?by.orValue('')}}"), reinvocationPolicy=again)
    made = await api.make(kit.MAPS, kit.config_map("a", x="1"))
    assert made["data"] == {"by": "hook", "saw": expected, "x": "1"}


async def test_policies_see_what_those_before_them_made_and_validation_comes_last(api: kit.Api):
    await change(api, apply("Object{data: {'one': '1'}}"), name="a-first")
    await change(api, apply("Object{data: {'two': object.data.one + '2'}}"), name="b-second")
    await enforce(api, {"expression": "object.data.two == '12'", "message": "not yet"})
    assert (await put(api, x="1")).body["data"] == {"one": "1", "two": "12", "x": "1"}


async def test_mutating_custom_resources(api: kit.Api):
    await api.make(DEFINITIONS, definitions.definition())
    about = rule("crontabs", groups="stable.example.com")
    await change(api, apply("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}"), rules=[about])
    assert (await api.make(CRONTABS, crontab("a", replicas=3)))["spec"]["replicas"] == 4


# The kinds themselves.


@pytest.mark.parametrize(
    ("where", "obj"),
    [
        (VALIDATING, policy("true")),
        (VALIDATING_BINDINGS, binding()),
        (MUTATING_POLICIES, mutation(apply("Object{}"))),
        (MUTATING_BINDINGS, {"metadata": {"name": "b"}, "spec": {"policyName": "p"}}),
    ],
    ids=["policy", "binding", "mutating policy", "mutating binding"],
)
async def test_life_of_the_kinds(api: kit.Api, where: str, obj: Object):
    labelled = {**obj, "metadata": {**obj["metadata"], "labels": {"test": "yes"}}}
    name = obj["metadata"]["name"]
    made = await api.make(where, labelled)
    assert made["metadata"]["generation"] == 1
    listed = await api.ask("GET", where, query="labelSelector=test%3Dyes")
    assert [one["metadata"]["name"] for one in listed.body["items"]] == [name]
    patched = await api.ask("PATCH", f"{where}/{name}", {"metadata": {"annotations": {"a": "b"}}}, headers=kit.MERGE)
    assert patched.body["metadata"]["annotations"] == {"a": "b"}
    assert (await api.ask("PUT", f"{where}/{name}", patched.body)).status == 200
    assert (await api.ask("GET", f"{where}/{name}", headers=kit.TABLE)).body["rows"][0]["cells"][0] == name
    assert (await api.ask("DELETE", where, query="labelSelector=test%3Dyes")).status == 200
    assert (await api.ask("GET", where)).body["items"] == []


async def test_the_status_of_a_policy(api: kit.Api):
    await api.make(VALIDATING, policy("true"))
    condition = {
        "type": "T",
        "status": "True",
        "reason": "R",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    for_status = {"status": {"conditions": [condition], "observedGeneration": 1, "typeChecking": {}}}
    written = await api.ask("PATCH", f"{VALIDATING}/p/status", for_status, headers=kit.MERGE)
    assert written.body["status"] == for_status["status"]
    ignored = await api.ask("PATCH", f"{VALIDATING}/p", {"status": {"observedGeneration": 7}}, headers=kit.MERGE)
    assert ignored.body["status"]["observedGeneration"] == 1


async def test_the_beta_version_of_mutating_policies_is_a_view(api: kit.Api):
    beta = MUTATING_POLICIES.replace("/v1/", "/v1beta1/")
    await api.make(beta, mutation(apply("Object{}")))
    assert (await api.ask("GET", f"{MUTATING_POLICIES}/m")).body["apiVersion"] == "admissionregistration.k8s.io/v1"


async def test_a_policy_may_guard_definitions_against_a_step_back(api: kit.Api):
    """As Gateway API's bundle does, which also matches every resource of the group."""
    version = "object.metadata.annotations['example.com/version']"
    guard = (
        "object.spec.group != 'stable.example.com' ||\n  (has(object.metadata.annotations) &&"
        " object.metadata.annotations.exists(k, k == 'example.com/version') &&"
        f" (matches({version}, '-(rc)') || !matches({version}, 'v1.[0-5].\\\\d+')))"
    )
    channel = "oldObject == null || object.metadata.annotations == oldObject.metadata.annotations"
    rules = [
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["*"],
        }
    ]
    await enforce(api, {"expression": guard, "message": "too old"}, channel, rules=rules)
    for annotations, code in (
        ({}, 422),
        ({"example.com/version": "v1.5.0"}, 422),
        ({"example.com/version": "v1.6.0"}, 201),
    ):
        definition = definitions.definition()
        definition["metadata"]["annotations"] = annotations
        assert (await api.ask("POST", DEFINITIONS, definition)).status == code
