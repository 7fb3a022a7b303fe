"""Cluster roles whose rules are those of others: what `aggregationRule` selects. Source: "Aggregated ClusterRoles"."""

from collections.abc import Iterable

from steersman.meta import objects, selectors
from steersman.meta.objects import Object


def rules(role: Object, roles: Iterable[Object]) -> list[Object]:
    """Each rule once, in the order of the names of the roles that have it."""
    found: list[Object] = []
    for one in sorted(selected(role, roles), key=objects.name):
        found += [rule for rule in one.get("rules") or () if rule not in found]
    return found


def selected(role: Object, roles: Iterable[Object]) -> list[Object]:
    """The other roles that any of its selectors matches."""
    wanted = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    return [
        one
        for one in roles
        if objects.name(one) != objects.name(role)
        and any(selectors.object_matches(selector, objects.labels(one)) for selector in wanted)
    ]
