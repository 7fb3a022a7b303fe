"""Nobody grants rights that they do not have: roles need what they grant or `escalate`, bindings what they bind or `bind`.

Reads: Roles, ClusterRoles. Source: upstream's policy-based storages of the RBAC kinds, which check after admission.
"""

from collections.abc import Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import authorization, decoded, escalation
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.attributes import Attributes
from steersman.meta import errors
from steersman.meta.objects import Object

_ROLES = (kinds.ROLE, kinds.CLUSTER_ROLE)
_BINDINGS = (kinds.ROLE_BINDING, kinds.CLUSTER_ROLE_BINDING)


class NoEscalation(Plugin):
    def __init__(self, objects: decoded.DecodedObjects, authorizer: authorization.Authorizer) -> None:
        self._objects = objects
        self._authorizer = authorizer

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind in (*_ROLES, *_BINDINGS) and operation in ("CREATE", "UPDATE")

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403, or 404 for a role that is not there."""
        call, new, old = review.call, review.new, review.old
        fields = ("rules", "aggregationRule") if call.kind in _ROLES else ("roleRef", "subjects")
        if call.user.is_master or (old is not None and all(_same(new, old, field) for field in fields)):
            return
        if call.kind in _ROLES:
            if not self._may(review, "escalate", call.kind, review.name):
                self._check(review, _granted(new))
            return
        reference = new.get("roleRef") or {}
        role = kinds.CLUSTER_ROLE if reference.get("kind") == "ClusterRole" else kinds.ROLE
        name = str(reference.get("name", ""))
        if not self._may(review, "bind", role, name):
            found = await self._objects.get(role, call.target.namespace if role.namespaced else "", name)
            if found is None:
                raise errors.not_found(role.plural, name, role.group)
            self._check(review, found.get("rules") or ())

    def _may(self, review: Review, verb: str, kind: Kind, name: str) -> bool:
        call = review.call
        asked = Attributes(verb, kind.group, kind.version, kind.plural, call.target.namespace, name)
        return self._authorizer.allows(call.user, asked)

    def _check(self, review: Review, wanted: Sequence[Object]) -> None:
        call = review.call
        places = {"", call.target.namespace if call.kind.namespaced else ""}
        rules = self._authorizer.rules()
        owned = [rule for place in places for grants in rules.grants(call.user, place) for rule in grants.rules]
        lacking = escalation.missing(owned, wanted)
        if lacking:
            who = f'user "{call.user.name}" (groups={escalation.names(call.user.groups)})'
            why = f"{who} is attempting to grant RBAC permissions not currently held:\n{escalation.shown(lacking)}"
            raise errors.forbidden(call.kind.plural, review.name, why, call.kind.group)


def _granted(role: Object) -> Sequence[Object]:
    """A role that takes up others' rules by their labels may come to grant anything."""
    return escalation.EVERYTHING if role.get("aggregationRule") else role.get("rules") or ()


def _same(new: Object, old: Object, field: str) -> bool:
    return bool((new.get(field) or None) == (old.get(field) or None))
