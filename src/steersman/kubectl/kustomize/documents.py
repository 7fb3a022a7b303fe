"""YAML as kustomize reads resources and patches: by YAML 1.2's words, where `n` and `on` are texts. Pure."""

from collections.abc import Iterator
from typing import Any

import yaml

from steersman.kubectl import go_words, go_yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OLD_BOOLS = frozenset(
    word for lower in ("y", "n", "yes", "no", "on", "off") for word in (lower, lower.title(), lower.upper())
)


class _Loader(_LOADER):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- every plain word comes to _scalar as a text


def _scalar(loader: Any, node: yaml.ScalarNode) -> Any:
    value = node.value
    return value if node.style or value in _OLD_BOOLS else go_words.resolve(value)


_Loader.add_constructor("tag:yaml.org,2002:str", _scalar)


def read_all(text: str | bytes) -> Iterator[Any]:
    """Each document. Raises BadYaml."""
    try:
        yield from yaml.load_all(text, Loader=_Loader)
    except yaml.YAMLError as broken:
        mark, problem = getattr(broken, "problem_mark", None), getattr(broken, "problem", None) or str(broken)
        raise go_yaml.BadYaml(f"yaml: line {mark.line + 1}: {problem}" if mark else f"yaml: {problem}") from broken
