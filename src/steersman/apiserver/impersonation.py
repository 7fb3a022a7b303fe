"""Acting as another user: the `Impersonate-…` headers, allowed by RBAC verb `impersonate`.

Source: "User impersonation" in the Kubernetes documentation.
"""

import urllib.parse
from collections.abc import Mapping

from steersman.apiserver import authorization, users
from steersman.apiserver.attributes import Attributes
from steersman.meta import errors

_EXTRA = "impersonate-extra-"


def user_of(headers: Mapping[str, str], user: users.User, authorizer: authorization.Authorizer) -> users.User:
    """The user to act as; `user` itself where nothing is asked. Raises StatusError 400 or 403."""
    name = headers.get("impersonate-user", "")
    uid = headers.get("impersonate-uid", "")
    groups = tuple(part for part in headers.get("impersonate-group", "").split(", ") if part)
    extra = {
        urllib.parse.unquote(key.removeprefix(_EXTRA)): tuple(value.split(", "))
        for key, value in headers.items()
        if key.startswith(_EXTRA)
    }
    if not name:
        if uid or groups or extra:
            raise errors.bad_request("requested impersonation without impersonating a user")
        return user
    _check(authorizer, user, _account_question(name) or Attributes("impersonate", resource="users", name=name))
    for group in groups:
        _check(authorizer, user, Attributes("impersonate", resource="groups", name=group))
    authentication = "authentication.k8s.io"
    for key, values in extra.items():
        for value in values:
            _check(authorizer, user, Attributes("impersonate", authentication, "v1", f"userextras/{key}", "", value))
    if uid:
        _check(authorizer, user, Attributes("impersonate", authentication, "v1", "uids", "", uid))
    return _become(name, uid, groups, extra)


def _account_question(name: str) -> Attributes | None:
    if not name.startswith(users.SERVICE_ACCOUNT_PREFIX):
        return None
    namespace, _, account = name.removeprefix(users.SERVICE_ACCOUNT_PREFIX).partition(":")
    return Attributes("impersonate", resource="serviceaccounts", namespace=namespace, name=account)


def _become(name: str, uid: str, groups: tuple[str, ...], extra: dict[str, tuple[str, ...]]) -> users.User:
    if name == users.ANONYMOUS:
        return users.User(name, uid, groups or (users.UNAUTHENTICATED,), extra)
    if name.startswith(users.SERVICE_ACCOUNT_PREFIX) and not groups:
        namespace, _, account = name.removeprefix(users.SERVICE_ACCOUNT_PREFIX).partition(":")
        return users.service_account(namespace, account, uid, extra)
    return users.authenticated(name, groups, uid, extra)


def _check(authorizer: authorization.Authorizer, user: users.User, asked: Attributes) -> None:
    authorizer.check(user, asked)
