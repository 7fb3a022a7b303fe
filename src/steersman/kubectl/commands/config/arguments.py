"""How these verbs refuse a wrong number of arguments: their help page, then a sentence."""

from steersman.kubectl import help_pages, verbs
from steersman.kubectl.call import Call
from steersman.kubectl.problems import CommandError


def exactly(call: Call, count: int) -> list[str]:
    """Raises CommandError."""
    if len(call.arguments) != count:
        raise unexpected(call)
    return call.arguments


def unexpected(call: Call, text: str = "") -> CommandError:
    show_page(call)
    return CommandError(text or f"Unexpected args: [{' '.join(call.arguments)}]")


def show_page(call: Call) -> None:
    verb = verbs.find(call.command.split()[-2:])
    assert verb is not None
    call.write(help_pages.page(verb, call.program))
