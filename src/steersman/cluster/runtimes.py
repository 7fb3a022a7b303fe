"""The names of container runtimes on the command line: auto, oci, fake, cri, cri:SOCKET. Pure."""

KINDS = ("auto", "oci", "fake", "cri")


def check(text: str) -> str:
    """The text. Raises ValueError."""
    kind, _, socket = text.partition(":")
    if kind not in KINDS or (socket and kind != "cri") or text.endswith(":"):
        raise ValueError(f"not a runtime: {text!r} (auto, oci, cri, cri:SOCKET or fake)")
    return text


def is_cri(kind: str) -> bool:
    return kind.partition(":")[0] == "cri"
