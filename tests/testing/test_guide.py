"""Every example of docs/guide/testing.md runs as it stands there."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from steersman.testing import Cluster

GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "guide" / "testing.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


def blocks(language, *words):
    found = [text for kind, text in BLOCKS if kind == language and all(word in text for word in words)]
    assert found
    return found


def named(text):
    """The file name that stands in the block's first line."""
    return text.partition("\n")[0].split()[1]


def pytest_in(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_tests(tmp_path):
    """Those that need nothing else, in one run."""
    tests = [text for text in blocks("python", "def test_", "(cluster)") if "operator" not in text]
    for number, text in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(text)
    assert f"{len(tests)} passed" in pytest_in(tmp_path)


def test_the_operator(tmp_path):
    for text in [*blocks("python", "# infos.py"), *blocks("python", "# test_operator.py")]:
        (tmp_path / named(text)).write_text(text)
    assert "1 passed" in pytest_in(tmp_path)


def test_programs(tmp_path):
    """Those that are no tests; the last one looks at a cluster that was kept."""
    with Cluster(virtual_time=True) as cluster:
        cluster.save(tmp_path / "clusters" / "test_web.py-test_web_becomes_available")
    programs = [text for text in blocks("python") if "def test_" not in text and "# infos.py" not in text]
    assert len(programs) == 3
    for text in programs:
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr


def test_javascript(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("needs Node")
    (text,) = blocks("javascript")
    (command,) = blocks("sh")
    (tmp_path / named(text)).write_text(text)
    assert command.startswith("steersman ")
    line = f"{sys.executable} -m steersman.main {command.removeprefix('steersman ')}"
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 1" in done.stdout


def test_the_workflow_is_one():
    (text,) = blocks("yaml")
    steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
    assert [step.get("uses", step.get("run", "")).split()[0].split("@")[0] for step in steps] == [
        "actions/checkout",
        "actions/setup-python",
        "pip",
        "pytest",
        "actions/upload-artifact",
    ]
