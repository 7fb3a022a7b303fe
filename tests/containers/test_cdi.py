"""Names of devices as changes of a container's configuration."""

import json
import pathlib
from typing import Any

import pytest

from steersman.containers.oci import cdi


def config() -> dict[str, Any]:
    return {"process": {"env": ["A=1"]}, "mounts": [], "linux": {"resources": {"devices": [{"allow": False}]}}}


def write(folder: pathlib.Path, name: str, spec: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(spec if isinstance(spec, str) else json.dumps(spec))


SPEC = {
    "cdiVersion": "0.8.0",
    "kind": "test.dev/gpu",
    "containerEdits": {"env": ["ALL=1"]},
    "devices": [
        {
            "name": "0",
            "containerEdits": {
                "env": ["GPU=0"],
                "deviceNodes": [{"path": "/dev/null", "permissions": "rw"}],
                "mounts": [{"hostPath": "/lib/gpu", "containerPath": "/usr/lib/gpu", "options": ["ro", "bind"]}],
                "hooks": [{"hookName": "createContainer", "path": "/bin/hook", "args": ["hook"]}],
            },
        },
        {"name": "1", "containerEdits": {"env": ["GPU=1"]}},
    ],
}


def test_edits_of_the_specification_once_and_of_each_device(tmp_path):
    write(tmp_path, "gpu.json", SPEC)
    made = config()
    cdi.apply(["test.dev/gpu=0", "test.dev/gpu=1"], made, [tmp_path])
    assert made["process"]["env"] == ["A=1", "ALL=1", "GPU=0", "GPU=1"]
    assert made["linux"]["devices"] == [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]
    null = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}
    assert made["linux"]["resources"]["devices"][1:] == [null]
    assert made["mounts"] == [
        {"destination": "/usr/lib/gpu", "source": "/lib/gpu", "type": "bind", "options": ["ro", "bind"]}
    ]
    assert made["hooks"] == {"createContainer": [{"path": "/bin/hook", "args": ["hook"]}]}


def test_the_later_folder_wins_and_broken_files_are_nobodys_problem(tmp_path):
    write(tmp_path / "a", "gpu.json", SPEC)
    write(tmp_path / "b", "gpu.yaml", "kind: test.dev/gpu\ndevices: [{name: '0', containerEdits: {env: [NEW=1]}}]")
    write(tmp_path / "b", "broken.yaml", "{")
    write(tmp_path / "b", "broken.json", "[]")
    made = config()
    cdi.apply(["test.dev/gpu=0"], made, [tmp_path / "a", tmp_path / "b", tmp_path / "none"])
    assert made["process"]["env"] == ["A=1", "NEW=1"]


def test_what_nobody_knows_is_refused(tmp_path):
    with pytest.raises(cdi.UnknownDevice, match=r"unresolvable CDI devices test\.dev/gpu=7"):
        cdi.apply(["test.dev/gpu=7"], config(), [tmp_path])


def test_no_names_change_nothing():
    made = config()
    cdi.apply([], made)
    assert made == config()
