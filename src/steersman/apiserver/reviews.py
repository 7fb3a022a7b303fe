"""Questions about rights and tokens that are answered and never stored: the `…reviews` of two groups.

Source: authorization.k8s.io/v1 and authentication.k8s.io/v1.
"""

from steersman.api.validation import access_reviews
from steersman.apiserver import authentication, authorization, questions, users
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object


class Reviews:
    def __init__(
        self,
        authenticator: authentication.Authenticator,
        authorizer: authorization.Authorizer,
        audiences: tuple[str, ...],
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._audiences = audiences

    async def answer(self, call: Call, review: Object) -> Object:
        """The review with its status filled in; `review` is not changed. Raises StatusError 400 or 422."""
        review = {**review, "metadata": {"creationTimestamp": None, **(review.get("metadata") or {})}}
        kind, spec = call.kind.kind, review.get("spec") or {}
        match kind:
            case "SelfSubjectAccessReview":
                _check(call, access_reviews.validate_self(review))
                return {**review, "status": self._access(call.user, spec)}
            case "SubjectAccessReview":
                _check(call, access_reviews.validate(review))
                return {**review, "status": self._access(_subject(spec), spec)}
            case "LocalSubjectAccessReview":
                _check(call, access_reviews.validate_local(_placed(review, call.target.namespace)))
                return {**review, "status": self._access(_subject(spec), spec)}
            case "SelfSubjectRulesReview" if not spec.get("namespace"):
                raise errors.bad_request("no namespace on request")
            case "SelfSubjectRulesReview":
                return {**review, "status": self._rules(call.user, spec.get("namespace", ""))}
            case "TokenReview":
                return {**review, "status": await self._token(call, spec)}
        return {**review, "status": {"userInfo": user_info(call.user)}}

    def _access(self, user: users.User, spec: Object) -> Object:
        asked, not_understood = questions.of_review(spec)
        decision = self._authorizer.decide(user, asked)
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        if not_understood:
            status["evaluationError"] = not_understood
        return status

    def _rules(self, user: users.User, namespace: str) -> Object:
        resource_rules, path_rules = [], []
        rules = [rule for grants in self._authorizer.rules().grants(user, "") for rule in grants.rules]
        rules += [rule for grants in self._authorizer.rules().grants(user, namespace) for rule in grants.rules]
        if user.is_master:
            rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
            rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
        for rule in rules:
            if rule.get("nonResourceURLs"):
                path_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
            else:
                fields = ("verbs", "apiGroups", "resources", "resourceNames")
                resource_rules.append({field: rule[field] for field in fields if field in rule})
        return {"resourceRules": resource_rules, "nonResourceRules": path_rules, **_completeness(user)}

    async def _token(self, call: Call, spec: Object) -> Object:
        token = spec.get("token", "")
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        audiences = tuple(spec.get("audiences") or self._audiences)
        user = await self._authenticator.user_of_token(token, audiences)
        if user is None:
            return {"user": {}, "error": "[invalid bearer token, token lookup failed]"}
        meant = self._authenticator.audiences_of(token, audiences)
        return {"authenticated": True, "user": user_info(user), "audiences": list(meant)}


def _completeness(user: users.User) -> Object:
    """What a node may do depends on its pods: no list says it."""
    if user.node is None:
        return {"incomplete": False}
    return {"incomplete": True, "evaluationError": "node authorizer does not support user rule resolution"}


def user_info(user: users.User) -> Object:
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _subject(spec: Object) -> users.User:
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return users.User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _placed(review: Object, namespace: str) -> Object:
    return {**review, "metadata": {"namespace": namespace, **(review.get("metadata") or {})}}


def _check(call: Call, errors_found: list[FieldError]) -> None:
    if errors_found:
        raise errors.invalid(call.kind.kind, "", errors_found, call.kind.group)
