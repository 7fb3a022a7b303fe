"""Warning headers: what the server wants to tell a client beside its answer. Pure.

Source: upstream's apiserver/pkg/endpoints/filters/warning.
"""

from collections.abc import Sequence

TOTAL_MAX = 4096  # characters of all texts; beyond it each is cut
EACH_MAX = 256


def header(texts: Sequence[str]) -> str:
    """One Warning header for all of them: each once, without what a header may not carry."""
    clean = [text for text in dict.fromkeys(texts) if text and text.isprintable()]
    if sum(len(text) for text in clean) > TOTAL_MAX:
        clean = [text[:EACH_MAX] for text in clean]
    kept, total = [], 0
    for text in clean:
        if total > TOTAL_MAX:
            break
        kept.append(_quoted(text))
        total += len(text)
    return ", ".join(kept)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'
