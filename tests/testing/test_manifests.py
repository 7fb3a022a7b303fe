import pytest

from steersman.testing import manifests

ONE, TWO = {"kind": "Pod", "metadata": {"name": "a"}}, {"kind": "Pod", "metadata": {"name": "b"}}


@pytest.mark.parametrize(
    ("manifest", "expect"),
    [
        pytest.param(ONE, [ONE], id="object"),
        pytest.param([ONE, TWO], [ONE, TWO], id="objects"),
        pytest.param(
            "kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: b}\n---\n", [ONE, TWO], id="yaml"
        ),
        pytest.param('{"kind": "Pod", "metadata": {"name": "a"}}', [ONE], id="json"),
        pytest.param({"kind": "List", "items": [ONE, TWO]}, [ONE, TWO], id="list"),
    ],
)
def test_read(manifest, expect):
    assert manifests.read(manifest) == expect


def test_files_and_folders(tmp_path):
    (tmp_path / "2.yaml").write_text("kind: Pod\nmetadata: {name: b}\n")
    (tmp_path / "1.json").write_text('{"kind": "Pod", "metadata": {"name": "a"}}')
    (tmp_path / "README.md").write_text("not a manifest")
    assert manifests.read(tmp_path) == [ONE, TWO]
    assert manifests.read(str(tmp_path / "1.json")) == [ONE]
