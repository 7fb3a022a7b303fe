"""What the verbs that delete an entry have in common."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.problems import CommandError, UsageError


def delete(call: Call, section: str) -> None:
    """Raises CommandError, UsageError."""
    what = section.removesuffix("s")
    if len(call.arguments) != 1:
        if section == "users":
            raise UsageError("user to delete is required")
        arguments.show_page(call)
        return
    (name,) = call.arguments
    files = ConfigFiles(call.flags, call.environment)
    place = files.default
    if files.body(section, name) is None:
        raise CommandError(f"cannot delete {what} {name}, not in {place}")
    if section == "contexts" and files.merged["current-context"] == name:
        call.write_error(
            f'warning: this removed your active context, use "{call.program} config use-context" to select a different one\n'
        )
    files.put(section, name, None)
    call.print(f"deleted {what} {name} from {place}")
