"""Objects in an editor: the file, the program, and what of it comes back; again and again until it can be used.

The loop is `Session.run`; what is done with the edited objects is the verb's. Source: kubectl's cmd/util/editor.
"""

import asyncio
import dataclasses
import json
import pathlib
import shlex
import tempfile
from collections.abc import Awaitable, Callable, Sequence

from steersman.kubectl import files, go_yaml, writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.printers import plain
from steersman.kubectl.problems import CommandError, Exit, StatusError
from steersman.meta.objects import Object

HEADER = """\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
"""
LAST_APPLIED_HEADER = """\
# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
"""
_DEFAULT_EDITOR = "vi"
_DEFAULT_SHELL = "/bin/bash"
_QUOTES = frozenset("\"'\\")


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """Why the file must be edited again."""

    head: str
    details: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Results:
    """What came of one round. `again`: some objects were not valid."""

    reasons: list[Reason] = dataclasses.field(default_factory=list)
    retryable: int = 0
    not_found: int = 0
    again: bool = False

    def unreadable(self, info: Info, why: Exception) -> str:
        """Of a file that holds no object."""
        return self._invalid(
            f'{info.resource.qualified} "{info.name}"',
            (f'<nil>: Invalid value: "The edited file failed validation": {why}',),
        )

    def _invalid(self, what: str, details: tuple[str, ...]) -> str:
        self.reasons.append(Reason(f"{what} was not valid", details))
        return f"error: {what} is invalid\n"

    def refused(self, info: Info, refusal: StatusError) -> str:
        """The sentence on stderr."""
        what = f'{info.resource.qualified} "{info.name}"'
        if refusal.reason == "Invalid":
            self.again = True
            causes = (refusal.status.get("details") or {}).get("causes") or ()
            details = tuple(f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes)
            return self._invalid(what, details)
        if refusal.reason == "NotFound":
            self.not_found += 1
            return f"error: {what} could not be found on the server\n"
        self.retryable += 1
        return f"error: {what} could not be patched: {refusal}\n"


Use = Callable[[list[Info], list[Object], Results], Awaitable[None]]
"""Does something with the edited objects; what a server refuses is put into the results. Raises CommandError, StatusError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """`use` gets the objects as they were and as they are edited."""

    call: Call
    use: Use
    header: str = HEADER

    async def run(self, infos: Sequence[Info]) -> None:
        """Raises CommandError, StatusError, Exit."""
        original = body(infos, self._is_json)
        results, edited, file = Results(), "", ""
        wrong = False
        while True:
            text = self._header(results) + (without_comments(edited) if wrong else original)
            before = edited
            edited, new_file = await self._edit(text, file)
            if wrong and meaning(before) == meaning(edited):
                raise self._kept(CommandError("Edit cancelled, no valid changes were saved."), new_file)
            _remove(file)
            file = new_file
            results = Results()
            if self._validates and not without_comments(edited).strip():
                self.call.write_error(results.unreadable(infos[0], CommandError("kind not set")))
                wrong = True
                continue
            if meaning(edited) == meaning(original):
                _remove(file)
                self.call.write_error("Edit cancelled, no changes made.\n")
                return
            if not without_comments(edited).strip():
                _remove(file)
                self.call.write_error("Edit cancelled, saved file was empty.\n")
                return
            try:
                objects = list(files.parse(edited.encode(), "edited-file"))
            except CommandError as broken:
                results = Results()
                self.call.write_error(results.unreadable(infos[0], broken))
                wrong = True
                continue
            try:
                await self.use(list(infos), objects, results)
            except (CommandError, StatusError) as problem:
                raise self._kept(problem, file) from problem
            if self._is_over(results, file):
                return
            wrong = True

    def _is_over(self, results: Results, file: str) -> bool:
        """Raises Exit where the user must go on in another way."""
        call = self.call
        if results.retryable:
            call.write_error(f"You can run `{call.program} replace -f {file}` to try this update again.\n")
            raise Exit
        if results.not_found:
            call.write_error(f'The edits you made on deleted resources have been saved to "{file}"\n')
            raise Exit
        if not results.again:
            _remove(file)
        return not results.again

    @property
    def _is_json(self) -> bool:
        return bool(self.call.flags["output"] == "json")

    @property
    def _validates(self) -> bool:
        return writes.validation(self.call.flags) != "Ignore"

    def _header(self, results: Results) -> str:
        return "" if self._is_json else self.header + "".join(map(reason_text, results.reasons))

    def _kept(self, problem: Exception, file: str) -> Exception:
        if file and pathlib.Path(file).exists():
            self.call.write_error(f'A copy of your changes has been stored to "{file}"\n')
        return problem

    async def _edit(self, text: str, previous: str) -> tuple[str, str]:
        """What is saved, and where. Raises CommandError."""
        windows = self.call.flags.get("windows-line-endings", False)
        suffix = ".json" if self._is_json else ".yaml"
        with tempfile.NamedTemporaryFile(
            "w",
            prefix=f"{self.call.program}-edit-",
            suffix=suffix,
            dir=self.call.environment.get("TMPDIR"),
            delete=False,
            newline="\r\n" if windows else "\n",
        ) as opened:
            opened.write(text)
        try:
            await launch(self.call, opened.name)
        except CommandError as problem:
            raise self._kept(problem, previous) from problem
        return pathlib.Path(opened.name).read_text().replace("\r\n", "\n"), opened.name


async def launch(call: Call, file: str) -> None:
    """The user's editor on a file. Raises CommandError."""
    words = command(
        call.environment.get("KUBE_EDITOR") or call.environment.get("EDITOR") or "", call.environment.get("SHELL", "")
    )
    shown = " ".join(words)
    arguments = [*words, file]
    if len(words) == 3 and words[1] == "-c" and _QUOTES & set(words[2]):
        arguments = [*words[:2], f"{words[2]} {shlex.quote(file)}"]
    try:
        process = await asyncio.create_subprocess_exec(*arguments, env=dict(call.environment))
    except FileNotFoundError:
        raise CommandError(f'unable to launch the editor "{shown}"') from None
    if await process.wait():
        raise CommandError(f'there was a problem with the editor "{shown}"')


def command(editor: str, shell: str) -> list[str]:
    """The program's words; one with quotes in it is for a shell to read. Pure."""
    editor = editor or _DEFAULT_EDITOR
    if not _QUOTES & set(editor):
        return editor.split(" ")
    return [shell or _DEFAULT_SHELL, "-c", editor]


def body(infos: Sequence[Info], is_json: bool) -> str:
    """The objects as they are edited: without managedFields, several in a List. Pure."""
    objects = [plain.without_managed_fields(info.object) for info in infos]
    whole = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {}}
    return plain.format_json(whole) + "\n" if is_json else go_yaml.dump(whole)


def reason_text(reason: Reason) -> str:
    head = _commented(reason.head)
    lines = [f"# {head}:" if reason.details else f"# {head}"]
    lines += [f"# * {_commented(detail)}" for detail in reason.details]
    return "\n".join([*lines, "#", ""])


def _commented(text: str) -> str:
    return text.replace("\n", "\n# ")


def meaning(text: str) -> str:
    """What two versions are compared by: their values, as far as they can be read, else the lines that are no comments."""
    try:
        return json.dumps(next(go_yaml.read_all(text), None), sort_keys=True)
    except go_yaml.BadYaml:
        return without_comments(text)


def without_comments(text: str) -> str:
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#") or line.lstrip().startswith("#!")]
    return "\n".join(lines)


def _remove(file: str) -> None:
    if file:
        pathlib.Path(file).unlink(missing_ok=True)
