"""`kubectl options`: the flags that every verb has."""

from steersman.kubectl import flags_shared, help_pages
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag

FLAGS: tuple[Flag, ...] = ()
FLAG_HINT = "Run '{command}' without flags."
HELP = "Print the flags that every verb has."


async def run(call: Call) -> None:
    call.write("The following options can be passed to any command:\n\n")
    call.write("\n".join(map(help_pages.flag_text, flags_shared.GLOBAL)))
