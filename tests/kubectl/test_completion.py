"""What may stand next: decided from words, looked up in a cluster, and asked by a shell."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from steersman.kubectl import completing, flags_shared, main
from steersman.kubectl.commands import completion
from steersman.kubectl.completing import CONFIG, FILES, NAMES, NOTHING, TYPES
from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl


def wanted(line: str) -> completing.Wanted:
    *before, word = line.split(" ")
    verb, rest = main.find_verb(before)
    module = verb.load() if verb is not None and verb.module else None
    known = main.known_flags(module) if module is not None else list(flags_shared.GLOBAL)
    return completing.wanted(verb.path if verb is not None else "", module, rest, word, known)


@pytest.mark.parametrize(
    ("line", "what", "of", "prefix"),
    [
        ("get ", TYPES, "", ""),
        ("get po", TYPES, "", ""),
        ("get pods ", NAMES, "pods", ""),
        ("get pods a ", NAMES, "pods", ""),
        ("get pods/", NAMES, "pods", "pods/"),
        ("get pods/a ", NOTHING, "", ""),
        ("get -n ", NAMES, "namespaces", ""),
        ("get --namespace=d", NAMES, "namespaces", "--namespace="),
        ("get -n x ", TYPES, "", ""),
        ("--context ", CONFIG, "contexts", ""),
        ("get -f ", FILES, "", ""),
        ("explain ", TYPES, "", ""),
        ("config use-context ", CONFIG, "contexts", ""),
        ("config use-context a ", NOTHING, "", ""),
        ("nonsense ", NOTHING, "", ""),
    ],
)
def test_what_is_wanted(line: str, what: str, of: str, prefix: str) -> None:
    found = wanted(line)
    assert (found.what, found.of, found.prefix) == (what, of, prefix)


def test_verbs_and_flags_are_words() -> None:
    assert "get" in dict(wanted("g").words)
    assert "view" in dict(wanted("config ").words)
    assert "--watch" in dict(wanted("get --w").words)
    assert "--watch" not in dict(wanted("version --w").words)
    assert ("json", "") in wanted("get pods -o ").words


@pytest.mark.slow
def test_names_come_from_the_cluster(cluster: Cluster, kubectl: Kubectl) -> None:
    assert kubectl("__complete get nodes ''") == "node-1\nnode-2\n:4\n"
    assert kubectl("__complete get nodes/node-2").splitlines() == ["nodes/node-2", ":4"]
    assert kubectl("__complete -n kube-system get sa ''").startswith("default\n")
    assert kubectl("__complete get --namespace=def") == "--namespace=default\n:4\n"
    assert kubectl("__complete conf") == "config\tModify kubeconfig files\n:4\n"
    assert kubectl("__complete get -f ''") == ":0\n"


def test_without_a_cluster_nothing_is_offered_and_nothing_said(alone: Kubectl) -> None:
    assert alone.run("__complete get pods '' --server=https://127.0.0.1:1")[::2] == (0, "")


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_scripts_name_the_program(shell: str) -> None:
    script = completion.script(shell, "steersman")
    assert "steersman __complete" in script
    assert "PROGRAM" not in script
    assert "NAME" not in script


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("completion", "error: Shell not specified."),
        ("completion csh", 'error: Unsupported shell type "csh".'),
        ("completion bash zsh", "error: Too many arguments. Expected only the shell type."),
    ],
)
def test_what_is_no_shell(alone: Kubectl, line: str, said: str) -> None:
    assert alone.fails(line) == f"{said}\nSee 'kubectl completion -h' for help and examples\n"


@pytest.mark.slow
def test_bash_completes(alone: Kubectl, tmp_path: pathlib.Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    program = tmp_path / "kubectl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m steersman.main "$@"\n')
    program.chmod(0o755)
    alone.file("script", alone("completion bash"))
    asked = (
        "source script; COMP_WORDS=(kubectl conf); COMP_CWORD=1; __kubectl_complete 2>/dev/null; echo ${COMPREPLY[@]}"
    )
    path = f"{tmp_path}:{alone.environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", asked],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**alone.environment, "PATH": path},
        check=False,
        timeout=30,
    )
    assert done.stdout == "config\n", done
