"""Templates over one pod: what a real kubectl printed and said for each expression, recorded in `template_cases.json`.

In what was recorded `<JSON>`, `<GO>` and `<SYNTAX>` stand for the pod as each kind of printer repeats it.
"""

import json
import pathlib
from typing import Any

import pytest

from steersman.kubectl import flags, flags_shared, problems
from steersman.kubectl.printers import choose, go_json, go_values
from tests.kubectl.conftest import Kubectl

RECORDED = json.loads(pathlib.Path(__file__).with_name("template_cases.json").read_text())
POD = RECORDED.pop("pod")
DUMPS = {"<JSON>": go_json.dumps(POD), "<GO>": go_values.show(POD), "<SYNTAX>": go_values.syntax(POD)}
FORMATS = (*choose.TEMPLATES, *choose.COLUMNS)


def printed(output: str, obj: Any, *more: str) -> tuple[str, str]:
    """Standard output and standard error."""
    known = (*flags_shared.PRINT, flags.Flag("no-headers", flags.BOOL))
    values = flags.parse([f"--output={output}", *more], known).values
    try:
        return choose.make(values, formats=FORMATS).print(obj), ""
    except problems.CommandError as error:
        return error.printed, problems.describe(error)[0]


def whole(text: str) -> str:
    for mark, dump in DUMPS.items():
        text = text.replace(mark, dump)
    return text


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECORDED)
def test_prints_what_kubectl_printed(kind: str) -> None:
    """One test for all expressions of a kind: there are hundreds, and each takes microseconds."""
    found = {text: printed(f"{kind}={text}", POD) for text, _, _ in RECORDED[kind]}
    assert found == {text: (whole(out), whole(err)) for text, out, err in RECORDED[kind]}


@pytest.mark.kubectl
@pytest.mark.long
@pytest.mark.timeout(600)
def test_kubectl_still_prints_so(kubectl: Kubectl) -> None:
    kubectl.file("pod.json", json.dumps(POD))
    for kind, text, out, err in [(kind, *row) for kind, rows in RECORDED.items() for row in rows]:
        done = kubectl.real_words("create", "--dry-run=client", "--validate=false", "-f=pod.json", f"-o={kind}={text}")
        assert (done.out, done.err) == (whole(out), whole(err)), text


POD_LIST = {"apiVersion": "v1", "kind": "List", "items": [POD, {"metadata": {"name": "b"}}]}


@pytest.mark.parametrize(
    ("output", "more", "expected"),
    [
        (
            "custom-columns=NAME:.metadata.name,APP:metadata.labels.app",
            (),
            "NAME    APP\nweb-1   web\nb       <none>\n",
        ),
        ("custom-columns=NAME:{metadata.name}", ("--no-headers",), "web-1\nb\n"),
        ("custom-columns=P:.spec.containers[*].ports[*].containerPort", (), "P\n80,443,9000\n<none>\n"),
        ("custom-columns=L:.metadata.labels", (), "L\nmap[app:web tier:front<end>&]\n<none>\n"),
        ("custom-columns=N:.status.nothing", (), "N\n<nil>\n<none>\n"),
    ],
)
def test_custom_columns(output: str, more: tuple[str, ...], expected: str) -> None:
    assert printed(output, POD_LIST, *more) == (expected, "")


@pytest.mark.parametrize(
    ("output", "more", "said"),
    [
        ("jsonpath", (), "error: template format specified but no template given\n"),
        ("go-template=", (), "error: template format specified but no template given\n"),
        (
            "go-template-file=/nope",
            (),
            "error: error reading --template /nope, open /nope: no such file or directory\n",
        ),
        ("jsonpath={.a", (), "error: error parsing jsonpath {.a, unclosed action\n"),
        ("custom-columns=", (), "error: custom-columns format specified but no custom columns given\n"),
        ("custom-columns=A", (), "error: unexpected custom-columns spec: A, expected <header>:<json-path-expr>\n"),
        (
            "custom-columns=A:{a}{b}",
            (),
            "error: unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}'"
            " or '{.name1.name2}'\n",
        ),
        ("jsonpath", ("--template={.kind}",), ""),
    ],
)
def test_templates_that_are_none(output: str, more: tuple[str, ...], said: str) -> None:
    assert printed(output, POD, *more)[1] == said


def test_missing_keys_may_be_errors() -> None:
    strict = "--allow-missing-template-keys=false"
    assert "nope is not found" in printed("jsonpath={.nope}", POD, strict)[1]
    assert 'map has no entry for key "nope"' in printed("go-template={{.nope}}", POD, strict)[1]


def test_columns_from_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "columns"
    path.write_text("NAME  KIND\n.metadata.name  {.kind}\n")
    assert printed(f"custom-columns-file={path}", POD) == ("NAME    KIND\nweb-1   Pod\n", "")
    path.write_text("NAME  KIND\n.metadata.name\n")
    assert printed(f"custom-columns-file={path}", POD)[1] == (
        "error: number of headers (2) and field specifications (1) don't match\n"
    )
