"""Times as Go reads them, with its words for what is wrong."""

import datetime
import re

from steersman.kubectl.problems import CommandError
from steersman.meta import times

LAYOUT = "2006-01-02T15:04:05Z07:00"
# Elements of the layout, what each looks like, and the highest value of those that have one.
_ELEMENTS: tuple[tuple[str, str, str], ...] = (
    ("2006", r"\d{4}", ""),
    ("-", "-", ""),
    ("01", r"\d{2}", "month"),
    ("-", "-", ""),
    ("02", r"\d{2}", ""),
    ("T", "T", ""),
    ("15", r"\d{2}", "hour"),
    (":", ":", ""),
    ("04", r"\d{2}", "minute"),
    (":", ":", ""),
    ("05", r"\d{2}(?:[.,]\d+)?", "second"),
    ("Z07:00", r"Z|[+-]\d{2}:\d{2}", ""),
)
_HIGHEST = {"month": 12, "hour": 23, "minute": 59, "second": 59}


def parse_rfc3339(text: str) -> datetime.datetime:
    """Raises CommandError."""
    begin = f'parsing time "{text}"'
    rest = text
    for element, pattern, name in _ELEMENTS:
        found = re.match(pattern, rest, re.ASCII)
        if found is None:
            raise CommandError(f'{begin} as "{LAYOUT}": cannot parse "{rest}" as "{element}"')
        if name and not (name == "month") <= int(found[0][:2]) <= _HIGHEST[name]:
            raise CommandError(f"{begin}: {name} out of range")
        rest = rest[found.end() :]
    if rest:
        raise CommandError(f'{begin}: extra text: "{rest}"')
    try:
        return times.parse(text.replace(",", "."))
    except ValueError:
        raise CommandError(f"{begin}: day out of range") from None
