"""Defaults of webhook configurations."""

from typing import Any

from steersman.meta.objects import Object

_OF_EACH: dict[str, Any] = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10}


def default_validating(configuration: Object) -> None:
    for webhook in configuration.get("webhooks") or ():
        _default(webhook)


def default_mutating(configuration: Object) -> None:
    for webhook in configuration.get("webhooks") or ():
        _default(webhook)
        webhook.setdefault("reinvocationPolicy", "Never")


def _default(webhook: Object) -> None:
    for field, value in _OF_EACH.items():
        if webhook.get(field) is None:
            webhook[field] = value
    for field in ("namespaceSelector", "objectSelector"):
        if webhook.get(field) is None:
            webhook[field] = {}
    for rule in webhook.get("rules") or ():
        rule.setdefault("scope", "*")
    service = (webhook.get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
