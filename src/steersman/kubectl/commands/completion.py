"""`kubectl completion SHELL`: a script that lets the shell ask this program what may stand next."""

from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import UsageError

FLAGS: tuple[Flag, ...] = ()
USAGE = "SHELL"
HELP = """Print a script for bash, zsh or fish, with which the shell completes verbs, flags, types and names of objects.

The shell must read it: in each session, or from a file in the place that it looks at.
"""
EXAMPLES = """
# bash, now and from now on
source <({program} completion bash)
{program} completion bash > ~/.local/share/bash-completion/completions/{program}

# zsh
{program} completion zsh > "${fpath[1]}/_{program}"

# fish
{program} completion fish > ~/.config/fish/completions/{program}.fish
"""

# Each asks `PROGRAM __complete WORDS…`: candidates in lines, descriptions behind a tab, then a colon and bits (2: no space
# behind the word, 4: no file names).
_BASH = r"""
__NAME_complete() {
    local current answer directive line
    local -a words
    words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    current="${COMP_WORDS[COMP_CWORD]}"
    if declare -F _get_comp_words_by_ref >/dev/null; then
        local cword
        _get_comp_words_by_ref -n "=:" -w words -i cword -c current
        words=("${words[@]:1:cword}")
    fi
    answer=$(PROGRAM __complete "${words[@]}" 2>/dev/null)
    directive="${answer##*:}"
    [[ "$directive" =~ ^[0-9]+$ ]] || directive=0
    COMPREPLY=()
    while IFS= read -r line; do
        line="${line%%$'\t'*}"
        [[ -n "$line" && "$line" != :* ]] && COMPREPLY+=("$line")
    done <<< "$answer"
    (( directive & 2 )) && compopt -o nospace
    if (( ! (directive & 4) )) && (( ${#COMPREPLY[@]} == 0 )); then
        compopt -o default
    fi
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$current"
    fi
}
complete -F __NAME_complete PROGRAM
"""

_ZSH = r"""
#compdef PROGRAM
_NAME() {
    local answer directive line
    local -a found
    answer=$(PROGRAM __complete "${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)
    directive="${answer##*:}"
    for line in "${(@f)answer}"; do
        [[ -z "$line" || "$line" == :* ]] && continue
        line="${line//:/\\:}"
        found+=("${line/$'\t'/:}")
    done
    if (( ${#found} )); then
        if (( directive & 2 )); then
            _describe -V 'PROGRAM' found -S ''
        else
            _describe -V 'PROGRAM' found
        fi
    elif (( ! (directive & 4) )); then
        _files
    fi
}
compdef _NAME PROGRAM
"""

_FISH = r"""
function __NAME_complete
    set -l words (commandline -opc)[2..]
    set -l current (commandline -ct)
    for line in (PROGRAM __complete $words "$current" 2>/dev/null)
        string match -q ':*' -- $line; or echo $line
    end
end
complete -c PROGRAM -f -a '(__NAME_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


async def run(call: Call) -> None:
    if not call.arguments:
        raise UsageError("Shell not specified.")
    if len(call.arguments) > 1:
        raise UsageError("Too many arguments. Expected only the shell type.")
    (shell,) = call.arguments
    if shell not in SCRIPTS:
        raise UsageError(f'Unsupported shell type "{shell}".')
    call.write(script(shell, call.program))


def script(shell: str, program: str) -> str:
    name = program.replace("-", "_").replace(".", "_")
    return SCRIPTS[shell].lstrip("\n").replace("PROGRAM", program).replace("NAME", name)
