"""The plugins that users configure by objects: policies and webhooks, mutating and validating, in upstream's order."""

import dataclasses
from collections.abc import Iterator

from steersman.aio import clock as clocks
from steersman.api import kinds, schema
from steersman.apiserver import decoded, followed
from steersman.apiserver.admission import (
    bodies,
    durations,
    figures,
    match_conditions,
    mutating_policies,
    policies,
    validating_policies,
    webhooks,
)
from steersman.apiserver.admission.matching import Equivalents
from steersman.apiserver.admission.plugin import Plugin
from steersman.apiserver.authorization import Authorizer
from steersman.apiserver.metrics import Gauge
from steersman.apiserver.webhook_client import WebhookClient
from steersman.meta.exposition import Sample
from steersman.store import contract


@dataclasses.dataclass(frozen=True, slots=True)
class Configured:
    """`followed` are the kinds they are configured by, `counted` what is told of webhooks."""

    mutating: tuple[Plugin, ...]
    validating: tuple[Plugin, ...]
    followed: tuple[followed.Followed, ...]
    counted: tuple[figures.Figures, ...]

    def samples(self) -> Iterator[Sample]:
        return durations.of_webhooks(item for one in self.counted for item in one.durations.items())

    def gauges(self) -> list[Gauge]:
        return [gauge for one in self.counted for gauge in one.gauges()]


def of(
    store: contract.Store,
    objects: decoded.DecodedObjects,
    clock: clocks.Clock,
    types: schema.Schema,
    authorizer: Authorizer,
    client: WebhookClient,
    equivalents: Equivalents,
    kind_of: policies.KindOf,
) -> Configured:
    body = bodies.Bodies(types)
    shared = webhooks.Parts(
        store, objects, clock, client, equivalents, body, match_conditions.MatchConditions(authorizer)
    )
    of_policies = policies.Parts(store, objects, authorizer, equivalents, kind_of, body)
    changing = webhooks.MutatingWebhooks(shared, kinds.MUTATING_WEBHOOK_CONFIGURATION, mutating=True)
    refusing = webhooks.ValidatingWebhooks(shared, kinds.VALIDATING_WEBHOOK_CONFIGURATION, mutating=False)
    changing_policies = mutating_policies.MutatingPolicies(of_policies)
    refusing_policies = validating_policies.ValidatingPolicies(of_policies)
    return Configured(
        (changing_policies, changing),
        (refusing_policies, refusing),
        (
            changing.configurations,
            refusing.configurations,
            changing_policies.policies,
            changing_policies.bindings,
            refusing_policies.policies,
            refusing_policies.bindings,
        ),
        (changing.figures, refusing.figures),
    )
