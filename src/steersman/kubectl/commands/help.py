"""`kubectl help VERB`: the page that `VERB --help` shows."""

from steersman.kubectl import help_pages, verbs
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag

FLAGS: tuple[Flag, ...] = ()
HELP = "Help about any command"


async def run(call: Call) -> None:
    words = list(call.arguments)
    if not words:
        call.write(help_pages.root_page(call.program))
        return
    verb = verbs.find(words)
    if verb is None:
        call.write(f'Unknown help topic "{" ".join(words)}"\n')
        call.write(help_pages.root_page(call.program))
        return
    call.write(help_pages.page(verb, call.program))
