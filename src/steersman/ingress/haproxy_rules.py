"""Rules with conditions, redirects, rewrites, weights and header changes in HAProxy's words: pure, lines out.

A list of rules settles `txn.rule`, the first whose conditions hold; what a rule does is written once, whichever lists it is in.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from steersman.ingress.routes import Action, Condition, Headers, Redirect, Rule

PORTS = {"http": 80, "https": 443}
ERROR = 'http-request return status 500 content-type "text/plain; charset=utf-8" string "no such backend\\n"'


def asked_in_turn(lists: Mapping[str, Sequence[Rule]], scheme: str) -> list[str]:
    """Settle `txn.to` for requests that the map sent to one of `lists`, or answer them."""
    names: dict[Rule, str] = {}
    lines: list[str] = []
    for name, rules in lists.items():
        for rule in rules:
            label = names.setdefault(rule, f"r{len(names)}")
            asked = " ".join(_condition(condition) for condition in rule.conditions)
            here = f"{{ var(txn.to) -m str {name} }} !{{ var(txn.rule) -m found }}"
            lines.append(f"http-request set-var(txn.rule) str({label}) if {here} {asked}".rstrip())
    for rule, label in names.items():
        lines.extend(_carried_out(rule, f"{{ var(txn.rule) -m str {label} }}", scheme))
    return [f"  {line}" for line in lines]


def _carried_out(rule: Rule, when: str, scheme: str) -> Iterator[str]:
    action = rule.action
    yield from (f"http-request {change} if {when}" for change in _changes(action.request_headers))
    yield from (f"http-response {change} if {when}" for change in _changes(action.response_headers))
    if action.redirect is not None:
        yield from _redirect(rule, action.redirect, when, scheme)
        return
    if action.timeout_seconds:
        yield f"http-request set-timeout server {max(1, round(action.timeout_seconds * 1000))}ms if {when}"
    if action.rewrite is not None:
        if action.rewrite.host is not None:
            yield f"http-request set-header Host {_format(action.rewrite.host)} if {when}"
        if action.rewrite.path is not None:
            yield _path(rule, action.rewrite.path, action.rewrite.prefix, when)
    yield from _chosen(action, when)


def _chosen(action: Action, when: str) -> Iterator[str]:
    """One of the targets, each as often as its weight says."""
    total = sum(target.weight for target in action.targets)
    if not total:
        yield f"{ERROR} if {when}"
        return
    if len(action.targets) > 1:
        yield f"http-request set-var(txn.roll) rand({total}) if {when}"
    upto = 0
    for target in action.targets:
        if not target.weight:
            continue
        upto += target.weight
        lot = (
            f" {{ var(txn.roll) -m int lt {upto} }} {{ var(txn.roll) -m int ge {upto - target.weight} }}"
            if len(action.targets) > 1
            else ""
        )
        done = f"http-request set-var(txn.to) str({target.backend})" if target.backend else ERROR
        yield f"{done} if {when}{lot}"


def _redirect(rule: Rule, redirect: Redirect, when: str, scheme: str) -> Iterator[str]:
    if redirect.path is not None:
        yield _path(rule, redirect.path, redirect.prefix, when)
    to = redirect.scheme or scheme
    host = _text(redirect.host) if redirect.host is not None else "%[req.hdr(host),field(1,:)]"
    port = f":{redirect.port}" if redirect.port not in (None, PORTS[to]) else ""
    yield f"http-request redirect code {redirect.status} location '{to}://{host}{port}%[pathq]' if {when}"


def _path(rule: Rule, path: str, prefix: bool, when: str) -> str:
    """`/foo` → `/new`: `/foo/bar` becomes `/new/bar` where only the prefix is replaced."""
    if not prefix:
        return f"http-request set-path {_format(path)} if {when}"
    new, old = path.rstrip("/"), re.escape(rule.path.rstrip("/"))
    if new:
        return f"http-request replace-path '^{old}(.*)$' {_quoted(_text_of_match(new) + chr(92) + '1')} if {when}"
    return f"http-request replace-path '^{old}/?(.*)$' '/{chr(92)}1' if {when}"


def _changes(headers: Headers) -> Iterator[str]:
    for name, value in headers.set:
        yield f"set-header {name} {_format(value)}"
    for name, value in headers.add:
        yield f"add-header {name} {_format(value)}"
    for name in headers.remove:
        yield f"del-header {name}"


def _condition(condition: Condition) -> str:
    method = "reg" if condition.regex else "str"
    match condition.what:
        case "method":
            return f"{{ method {condition.value} }}"
        case "header":
            return f"{{ req.fhdr({condition.name}) -m {method} -- {_quoted(condition.value)} }}"
        case "query":
            return f"{{ url_param({condition.name}),url_dec -m {method} -- {_quoted(condition.value)} }}"


def _quoted(text: str) -> str:
    """One word, whatever is in it."""
    clean = " ".join(text.splitlines())
    return "'" + clean.replace("'", "'\\''") + "'"


def _text(text: str) -> str:
    """As part of a format, where a percent sign begins an expression."""
    return " ".join(text.splitlines()).replace("%", "%%").replace("'", "'\\''")


def _text_of_match(text: str) -> str:
    """As part of what a regular expression is replaced by."""
    return text.replace("\\", "\\\\").replace("%", "%%")


def _format(text: str) -> str:
    return f"'{_text(text)}'"
