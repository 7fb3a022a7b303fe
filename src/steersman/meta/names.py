"""The syntax of names: what Kubernetes accepts as a label, subdomain, qualified name, port name, key, …

Every `*_errors` function returns upstream's messages for what is wrong, none when the text is right.
Source of rules and wording: apimachinery's util/validation and "Object Names and IDs" in the Kubernetes documentation.
"""

import ipaddress
import re
from collections.abc import Callable

LABEL_MAX = 63  # RFC 1123: the most a DNS label may have
SUBDOMAIN_MAX = 253  # RFC 1123: the most a DNS name may have
GENERATED_SUFFIX = 5  # letters `generateName` adds
GENERATED_BASE_MAX = LABEL_MAX - GENERATED_SUFFIX  # longer prefixes are cut so that the result still is a label

Check = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_LABEL = "[a-z0-9_]([-_a-z0-9]*[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"
_ENV_NAME = r"[-._a-zA-Z][-._a-zA-Z0-9]*"
_PORT_NAME = r"[-a-z0-9]+"

_is_label = re.compile(_LABEL).fullmatch
_is_label_1035 = re.compile(_LABEL_1035).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_dns_name = re.compile(_DNS_NAME).fullmatch
_is_qualified = re.compile(_QUALIFIED).fullmatch
_HEADER = "[-A-Za-z0-9]+"
_is_header = re.compile(_HEADER).fullmatch
_is_value = re.compile(_VALUE).fullmatch
_is_config_key = re.compile(_CONFIG_KEY).fullmatch
_is_env_name = re.compile(r"[ -<>-~]+").fullmatch  # any printable ASCII but "=" (relaxed since 1.34)
_is_port_name = re.compile(_PORT_NAME).fullmatch
_has_letter = re.compile("[a-z]").search


def label_errors(text: str) -> list[str]:
    """RFC 1123 label: names of namespaces, containers, volumes, …"""
    if len(text) <= LABEL_MAX and _is_label(text):
        return []
    why = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character"
    )
    return _explain(text, LABEL_MAX, _is_label(text) is not None, _regex_error(why, _LABEL, "my-name", "123-abc"))


def subdomain_errors(text: str) -> list[str]:
    """RFC 1123 subdomain: names of most objects."""
    if len(text) <= SUBDOMAIN_MAX and _is_subdomain(text):
        return []
    why = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return _explain(text, SUBDOMAIN_MAX, _is_subdomain(text) is not None, _regex_error(why, _SUBDOMAIN, "example.com"))


def dns_name_errors(text: str) -> list[str]:
    """A subdomain whose parts may have underscores: where names are looked for in DNS."""
    if len(text) <= SUBDOMAIN_MAX and _is_dns_name(text):
        return []
    why = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must "
        "start and end with an alphanumeric character"
    )
    return _explain(text, SUBDOMAIN_MAX, _is_dns_name(text) is not None, _regex_error(why, _DNS_NAME, "example.com"))


def label_1035_errors(text: str) -> list[str]:
    """RFC 1035 label: names that become DNS names and must begin with a letter (services before 1.34)."""
    if len(text) <= LABEL_MAX and _is_label_1035(text):
        return []
    why = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character"
    )
    return _explain(
        text, LABEL_MAX, _is_label_1035(text) is not None, _regex_error(why, _LABEL_1035, "my-name", "abc-123")
    )


def wildcard_subdomain_errors(text: str) -> list[str]:
    """`*.` before an RFC 1123 subdomain: hosts of Ingresses."""
    if len(text) <= SUBDOMAIN_MAX and text.startswith("*.") and _is_subdomain(text[2:]):
        return []
    why = (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
    )
    syntax_ok = text.startswith("*.") and _is_subdomain(text[2:]) is not None
    return _explain(text, SUBDOMAIN_MAX, syntax_ok, _regex_error(why, rf"\*\.{_SUBDOMAIN}", "*.example.com"))


def qualified_name_errors(text: str) -> list[str]:
    """`name` or `prefix/name`: keys of labels and annotations, finalizers, extended resources."""
    if len(text) <= LABEL_MAX and _is_qualified(text):
        return []  # by far the most frequent: no prefix, nothing wrong
    prefix, slash, last = text.rpartition("/")
    errors = []
    if "/" in prefix:
        why = "a qualified name " + _qualified_why()
        return [why + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if slash:
        if not prefix:
            errors.append("prefix part must be non-empty")
        else:
            errors += [f"prefix part {error}" for error in subdomain_errors(prefix)]
    if not last:
        errors.append("name part must be non-empty")
    elif len(last) > LABEL_MAX:
        errors.append(f"name part {too_long(LABEL_MAX)}")
    if not _is_qualified(last):
        errors.append(f"name part {_qualified_why()}")
    return errors


def label_value_errors(text: str) -> list[str]:
    if len(text) <= LABEL_MAX and _is_value(text):
        return []
    why = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return _explain(
        text, LABEL_MAX, _is_value(text) is not None, _regex_error(why, _VALUE, "MyValue", "my_value", "12345")
    )


def config_key_errors(text: str) -> list[str]:
    """Keys of ConfigMap and Secret data: they become file names."""
    errors = []
    if len(text) > SUBDOMAIN_MAX:
        errors.append(too_long(SUBDOMAIN_MAX))
    if not _is_config_key(text):
        why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(_regex_error(why, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if text in (".", ".."):
        errors.append(f"must not be '{text}'")
    elif text.startswith(".."):
        errors.append("must not start with '..'")
    return errors


def env_name_errors(text: str) -> list[str]:
    """Names of environment variables: printable ASCII without `=`."""
    if _is_env_name(text):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def port_name_errors(text: str) -> list[str]:
    """IANA service names: container port names and named target ports."""
    errors = []
    if len(text) > 15:
        errors.append("must be no more than 15 characters")
    if not _is_port_name(text):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _has_letter(text):
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text and (text[0] == "-" or text[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def port_number_errors(port: int) -> list[str]:
    return [] if 1 <= port <= 65535 else ["must be between 1 and 65535, inclusive"]


def header_errors(text: str) -> list[str]:
    """The name of an HTTP header."""
    if _is_header(text):
        return []
    return [
        _regex_error("a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name")
    ]


def path_segment_errors(text: str) -> list[str]:
    """Names that only have to survive in a URL (RBAC)."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in text]


def ip_errors(text: str) -> list[str]:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def canonical_ip_errors(text: str) -> list[str]:
    """An address in the one form it is written in, as for names of IPAddresses."""
    wrong = ip_errors(text)
    if wrong:
        return wrong
    canonical = str(ipaddress.ip_address(text))
    return [] if text == canonical else [f'must be in canonical form ("{canonical}")']


def cidr_errors(text: str) -> list[str]:
    try:
        if "/" in text:
            ipaddress.ip_network(text, strict=False)
            return []
    except ValueError:
        pass
    return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def canonical_cidr_errors(text: str) -> list[str]:
    wrong = cidr_errors(text)
    if wrong:
        return wrong
    canonical = str(ipaddress.ip_network(text, strict=False))
    return [] if text == canonical else [f'must be in canonical form ("{canonical}")']


def for_prefix(check: Check) -> Check:
    """The same rule for `generateName`: it may end in `-` because letters will follow."""

    def errors(text: str) -> list[str]:
        return check(text[:-1] + "a" if text.endswith("-") and len(text) > 1 else text)

    return errors


def generate(prefix: str, suffix: str) -> str:
    """The name made from `generateName` and `clock.suffix()`."""
    return prefix[:GENERATED_BASE_MAX] + suffix


def too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _explain(text: str, limit: int, syntax_ok: bool, syntax_error: str) -> list[str]:
    errors = [too_long(limit)] if len(text) > limit else []
    return errors if syntax_ok else [*errors, syntax_error]


def _qualified_why() -> str:
    why = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    return _regex_error(why, _QUALIFIED, "MyName", "my.name", "123-abc")


def _regex_error(why: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{why} (e.g. {shown}regex used for validation is '{pattern}')"
