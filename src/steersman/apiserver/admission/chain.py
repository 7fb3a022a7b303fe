"""The admission plugins in upstream's order, each asked only about what it handles."""

from collections.abc import Sequence
from typing import NamedTuple

from steersman.aio import clock as clocks
from steersman.api.kind import Kind
from steersman.apiserver import authorization, decoded
from steersman.apiserver.admission import (
    certificate_requests,
    custom_kinds,
    declared_features,
    device_claims,
    durations,
    escalation,
    ingresses,
    ip_addresses,
    limit_ranges,
    namespaces,
    new_nodes,
    node_ports,
    optional,
    pod_security,
    pods,
    priorities,
    priority_classes,
    protection,
    resource_quota,
    runtime_classes,
    service_accounts,
    service_addresses,
    settings,
    switches,
    topology_labels,
    trust_bundles,
    volumes,
)
from steersman.apiserver.admission.node_restriction import plugin as node_restriction
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.store import contract


def plugins(
    objects: decoded.DecodedObjects,
    clock: clocks.Clock,
    store: contract.Store,
    addresses: service_addresses.ServiceAddresses,
    authorizer: authorization.Authorizer,
    *,
    unreachable_seconds: int = 300,
    mutating: Sequence[Plugin] = (),
    validating: Sequence[Plugin] = (),
    chosen: switches.Switches = switches.DEFAULT,
    told: settings.Settings = settings.DEFAULT,
) -> tuple[Plugin, ...]:
    """Those that are switched on, in upstream's recommended order. `mutating` and `validating` are those that users configure."""
    every = (
        namespaces.NamespaceLifecycle(objects),
        optional.LimitPodHardAntiAffinityTopology(),
        limit_ranges.LimitRanger(objects),
        service_accounts.ServiceAccounts(objects, clock),
        node_restriction.NodeRestriction(objects, authorizer),
        new_nodes.TaintNodes(),
        optional.AlwaysPullImages(),
        pod_security.PodSecurity(objects, told.pod_security),
        priorities.OfPods(objects),
        priorities.OfGroups(objects),
        priority_classes.PriorityClasses(objects),
        pods.DefaultTolerations(unreachable_seconds),
        optional.ExtendedResourceToleration(),
        volumes.DefaultStorageClass(objects),
        protection.InUse(),
        volumes.ClaimResize(objects),
        volumes.PhaseTransitions(clock),
        runtime_classes.RuntimeClasses(objects),
        certificate_requests.CertificateRequests(authorizer, clock),
        trust_bundles.TrustBundles(authorizer),
        custom_kinds.CustomKinds(clock),
        device_claims.TaintTimes(clock),
        device_claims.AdminAccess(objects),
        ingresses.DefaultIngressClass(objects),
        optional.DenyServiceExternalIPs(),
        topology_labels.TopologyLabels(store, objects),
        declared_features.DeclaredFeatures(objects),
        *mutating,
        *validating,
        escalation.NoEscalation(objects, authorizer),
        service_addresses.Reservation(objects, addresses),
        ip_addresses.OfServices(store, clock),
        node_ports.OfServices(store),
        ip_addresses.OfOthers(addresses),
        resource_quota.ResourceQuotas(objects, clock),
    )
    return tuple(one for one in every if chosen.has(one.name))


class Chain:
    """Keeps which plugins care for which kind, subresource and operation: asked once each."""

    def __init__(self, plugins: Sequence[Plugin], clock: clocks.Clock) -> None:
        self._plugins = tuple(plugins)
        self.durations = durations.AdmissionDurations(clock)
        self._of: dict[tuple[str, str, str, str, Operation], _Asked] = {}

    async def mutate(self, review: Review) -> bool:
        """Whether any plugin changed the object. All are asked once more when one of them wants that."""
        plugins = self._handling(review).mutate
        changed = await self._mutate(plugins, review)
        if review.again:
            review.round = 1
            await self._mutate(plugins, review)
        return changed

    async def _mutate(self, plugins: Sequence[Plugin], review: Review) -> bool:
        told, operation, changed, name = self.durations, review.operation, False, ""
        began = at = told.now()
        try:
            for plugin in plugins:
                name = plugin.name
                changed = await plugin.mutate(review) or changed
                at = told.passed(name, "admit", operation, at)
        except BaseException:
            told.passed(name, "admit", operation, at, rejected=True)
            told.ended("admit", operation, began, rejected=True)
            raise
        told.ended("admit", operation, began, rejected=False)
        return changed

    async def admit(self, review: Review) -> None:
        """Both phases, for a request that is no write of an object: a connection, a token, a question."""
        with review.holds:
            await self.mutate(review)
            await self.validate(review)

    async def validate(self, review: Review) -> None:
        told, operation, name = self.durations, review.operation, ""
        began = at = told.now()
        try:
            for plugin in self._handling(review).validate:
                name = plugin.name
                await plugin.validate(review)
                at = told.passed(name, "validate", operation, at)
        except BaseException:
            told.passed(name, "validate", operation, at, rejected=True)
            told.ended("validate", operation, began, rejected=True)
            raise
        told.ended("validate", operation, began, rejected=False)

    async def reserve(self, review: Review) -> None:
        review.also.clear()
        for plugin in self._handling(review).reserve:
            await plugin.reserve(review)

    async def removed(self, review: Review) -> None:
        for plugin in self._handling(review).removed:
            await plugin.removed(review)

    def _handling(self, review: Review) -> "_Asked":
        kind, subresource = review.call.kind, review.call.target.subresource
        key = kind.group, kind.version, kind.plural, subresource, review.operation
        found = self._of.get(key)
        if found is None:
            found = self._of[key] = self._asked(kind, subresource, review.operation)
        return found

    def _asked(self, kind: Kind, subresource: str, operation: Operation) -> "_Asked":
        handling = [plugin for plugin in self._plugins if plugin.handles(kind, subresource, operation)]
        return _Asked(*(tuple(one for one in handling if _has(one, phase)) for phase in _Asked._fields))


class _Asked(NamedTuple):
    """Who has something to say, in each phase."""

    mutate: tuple[Plugin, ...]
    validate: tuple[Plugin, ...]
    reserve: tuple[Plugin, ...]
    removed: tuple[Plugin, ...]


def _has(plugin: Plugin, phase: str) -> bool:
    """Whether it is more than the one that every plugin has, which does nothing."""
    return getattr(type(plugin), phase) is not getattr(Plugin, phase)
