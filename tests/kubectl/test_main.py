"""Which verb, plugin or page a command line means, and what is said when it means none."""

import os
import pathlib
import sys

import pytest

from steersman import main as entry
from steersman.kubectl import main, plugins, verbs
from steersman.kubectl.streams import MemoryStreams, Streams
from tests.kubectl.conftest import Kubectl


@pytest.mark.parametrize("verb", verbs.TABLE, ids=lambda verb: verb.path)
def test_every_verb_has_a_page_and_flags_that_do_not_clash(verb: verbs.Verb, alone: Kubectl) -> None:
    if not verb.module or verb.path == "__complete":
        return
    module = verb.load()
    known = main.known_flags(module)
    assert len({flag.name for flag in known}) == len(known)
    shorts = [flag.short for flag in known if flag.short]
    assert len(set(shorts)) == len(shorts)
    page = alone(f"{verb.path} --help")
    assert f"Usage:\n  kubectl {verb.path}" in page
    assert page == alone(f"help {verb.path}")


def test_the_page_of_all_verbs_names_each() -> None:
    streams = MemoryStreams()
    assert main.run([], streams, {"PATH": ""}) == 0
    for verb in verbs.below(""):
        assert verb.hidden or f"\n  {verb.path} " in streams.out
        assert verb.hidden or verb.path in verbs.ORDER.split()
        assert verb.hidden or verb.group in verbs.GROUPS


def test_closed_streams_hold_nothing_and_lose_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    streams = Streams.of_process()
    assert main.run(["options"], streams, {}) == 0
    assert main.run(["nonsense"], streams, {"PATH": ""}) == 1
    assert streams.read() == b""
    for stream in (streams.stdin, streams.stdout, streams.stderr):
        stream.close()


def test_a_group_without_a_verb_shows_its_page_and_fails(alone: Kubectl) -> None:
    done = alone.run("config")
    assert done.code in (0, 1)
    assert "use-context" in done.out + done.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", 'error: unknown command "nonsense" for "kubectl"\n'),
        ("versoin", 'error: unknown command "versoin" for "kubectl"\n\nDid you mean this?\n\tversion\n'),
        ("config nonsense", "error: unknown command \"nonsense\"\nSee 'kubectl config -h' for help and examples\n"),
        ("get --nonsense", "error: unknown flag: --nonsense\nSee 'kubectl get --help' for usage.\n"),
        ("--nonsense get", "Error: flags cannot be placed before plugin name: --nonsense\n"),
        ("options --nonsense", "error: unknown flag: --nonsense\nRun 'kubectl options' without flags.\n"),
    ],
)
def test_what_is_no_verb(alone: Kubectl, line: str, said: str) -> None:
    assert alone.fails(line) == said


def program(folder: pathlib.Path, name: str) -> None:
    path = folder / name
    path.write_text('#!/bin/sh\necho "$(basename $0)" "$@"\n')
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hello a --b", "kubectl-hello a --b"),
        ("hello big-world x", "kubectl-hello-big_world x"),
        ("create thing x", "kubectl-create-thing x"),
    ],
)
def test_plugins_are_called_with_what_is_left(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str
) -> None:
    for name in ("kubectl-hello", "kubectl-hello-big_world", "kubectl-create-thing"):
        program(tmp_path, name)
    called: list[list[str]] = []

    def be(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        called.append([pathlib.Path(path).name, *arguments[1:]])
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", be)
    with pytest.raises(SystemExit):
        main.run(line.split(), MemoryStreams(), {"PATH": str(tmp_path)})
    assert " ".join(called[0]) == expected


def test_a_plugin_never_takes_a_verbs_place(alone: Kubectl) -> None:
    program(alone.folder, "kubectl-version")
    program(alone.folder, "kubectl-hello")
    (alone.folder / "kubectl-data").write_text("")
    path = str(alone.folder)
    assert alone.run("version --client", PATH=path).out.startswith("Client Version")
    done = alone.run("plugin list --name-only", PATH=path)
    assert (
        done.out == "The following compatible plugins are available:\n\nkubectl-data\nkubectl-hello\nkubectl-version\n"
    )
    assert done.err == (
        f"  - warning: {path}/kubectl-data identified as a kubectl plugin, but it is not executable\n"
        '  - warning: kubectl-version overwrites existing command: "kubectl version"\n'
        "error: 2 plugin warnings were found\n"
    )


def test_no_plugin_for_nothing() -> None:
    assert plugins.run(["nonsense"], {"PATH": ""}, MemoryStreams()) is None


@pytest.mark.parametrize(
    ("name", "arguments", "program"),
    [("kubectl", ["completion", "bash"], "kubectl"), ("steersman", ["completion", "bash"], "steersman")],
)
def test_the_name_of_the_program_decides(
    capfdbinary: pytest.CaptureFixture[bytes], name: str, arguments: list[str], program: str
) -> None:
    assert entry.run(name, arguments) == 0
    assert f"complete -F __{program}_complete {program}\n".encode() in capfdbinary.readouterr().out


@pytest.mark.parametrize("word", ["--help", "help"])
def test_steersmans_own_commands_are_its_own(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        entry.run("steersman", [word])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Start a cluster." in said
    assert "api-resources" in said
