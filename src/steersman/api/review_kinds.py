"""The kinds of questions about rights and tokens that are answered and never stored: the `…reviews` of two groups.

Source: authorization.k8s.io/v1 and authentication.k8s.io/v1.
"""

from steersman.api.kind import Kind, Kinds

AUTHORIZATION = "authorization.k8s.io"
AUTHENTICATION = "authentication.k8s.io"
_CREATE = ("create",)


def _row(group: str, kind: str, *, namespaced: bool = False) -> Kind:
    singular = kind.lower()
    return Kind(group, "v1", kind, singular + "s", singular, namespaced, verbs=_CREATE)


SELF_SUBJECT_ACCESS = _row(AUTHORIZATION, "SelfSubjectAccessReview")
SUBJECT_ACCESS = _row(AUTHORIZATION, "SubjectAccessReview")
LOCAL_SUBJECT_ACCESS = _row(AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True)
SELF_SUBJECT_RULES = _row(AUTHORIZATION, "SelfSubjectRulesReview")
TOKEN = _row(AUTHENTICATION, "TokenReview")
SELF_SUBJECT = _row(AUTHENTICATION, "SelfSubjectReview")

KINDS = Kinds((SELF_SUBJECT_ACCESS, SUBJECT_ACCESS, LOCAL_SUBJECT_ACCESS, SELF_SUBJECT_RULES, TOKEN, SELF_SUBJECT))
