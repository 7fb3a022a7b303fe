"""`kubectl __complete WORDS…`: what may stand where the last word is; asked by the scripts of `kubectl completion`.

In cobra's form, so that its scripts may ask, too: a candidate and its description in each line, then a colon and what to do.
"""

from steersman.kubectl import completing, flags_shared, main
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag

FLAGS: tuple[Flag, ...] = ()
RAW = True
# What cobra calls directives: let the shell complete files; do not; and do not put a space behind the word.
DEFAULT, NO_FILES, NO_SPACE = 0, 4, 2


async def run(call: Call) -> None:
    *before, word = call.arguments or [""]
    verb, rest = main.find_verb(before)
    module = verb.load() if verb is not None and verb.module else None
    known = main.known_flags(module) if module is not None else list(flags_shared.GLOBAL)
    want = completing.wanted(verb.path if verb is not None else "", module, rest, word, known)
    call.flags = main.parsed_leniently(rest, known)
    found = [(text, about) for text, about in await completing.candidates(call, want) if text.startswith(word)]
    for text, about in sorted(found):
        call.print(f"{text}\t{about}" if about else text)
    no_space = len(found) == 1 and found[0][0].endswith(("=", "/"))
    call.print(f":{DEFAULT if want.what == completing.FILES else NO_FILES + NO_SPACE * no_space}")
