"""Lines as Kubernetes' programs log them: `W1128 10:04:31.123456   12345 proxy.go:177] text`."""

import datetime
import json
import os


def line(level: str, source: str, text: str, now: datetime.datetime) -> str:
    """`level` is I, W, E or F; `source` a file and line of upstream's, which scripts may look for."""
    local = now.astimezone()
    return f"{level}{local:%m%d %H:%M:%S.%f} {os.getpid():>7} {source}] {text}\n"


def unhandled(source: str, error: str, now: datetime.datetime) -> str:
    """What upstream's HandleError says."""
    return line("E", source, f'"Unhandled Error" err={json.dumps(error, ensure_ascii=False)}', now)
