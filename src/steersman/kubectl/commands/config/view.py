"""`kubectl config view`: what the kubeconfig files say together."""

from pathlib import Path

from steersman.kubectl import config_shape, flags, flags_shared, printers
from steersman.kubectl.call import Call
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag
from steersman.kubectl.printers import plain
from steersman.kubectl.problems import CommandError, UsageError

FLAGS = (
    Flag("flatten", flags.BOOL, help="Put the content of files in their place, so that the result stands alone."),
    Flag("merge", flags.BOOL, True, bare="true", help="All files together."),
    Flag("minify", flags.BOOL, help="Only the current context and what it uses."),
    Flag("output", default="yaml", short="o", help=flags_shared.PRINT[0].help),
    *flags_shared.TEMPLATE_FLAGS,
    flags_shared.SHOW_MANAGED_FIELDS,
    Flag("raw", flags.BOOL, help="Show secrets."),
)
HELP = (
    "Show the merged kubeconfig, or a certain file with --kubeconfig. Secrets are left out, unless --raw or --flatten."
)
EXAMPLES = """
# What is in force now, as one file that stands alone
{program} config view --minify --flatten
"""


async def run(call: Call) -> None:
    if call.arguments:
        raise UsageError(f"unexpected arguments: [{' '.join(call.arguments)}]")
    files = ConfigFiles(call.flags, call.environment)
    if not call.flags["merge"] and not files.is_explicit:
        raise CommandError("if merge==false a precise file must be specified")
    config = files.merged
    if call.flags["context"]:
        config = {**config, "current-context": call.flags["context"]}
    if call.flags["minify"]:
        try:
            config = config_shape.minified(config)
        except config_shape.NoContext as problem:
            raise CommandError(str(problem)) from problem
    if call.flags["flatten"]:
        config = config_shape.flattened(config, lambda path: _content(files.default.parent / path))
    elif not call.flags["raw"]:
        config = config_shape.redacted(config)
    if call.flags["output"] == "json":
        call.write(plain.format_json(config, sort_keys=False) + "\n")  # in the order of Go's fields
    else:
        call.write(printers.make(call.flags).print(config))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CommandError(f"open {path}: {(problem.strerror or str(problem)).lower()}") from problem
