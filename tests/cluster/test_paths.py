"""Where a cluster keeps things, and that a purge deletes nobody else's."""

import fcntl
import os
import pathlib
import tempfile
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from steersman import commands
from steersman.cluster import down, options, paths, up
from steersman.cluster.options import Options


@pytest.fixture
def tmp_path() -> Iterator[pathlib.Path]:
    """Short: the path of a Unix socket must fit."""
    with tempfile.TemporaryDirectory(prefix="stm") as folder:
        yield pathlib.Path(folder)


@pytest.fixture(autouse=True)
def own_places(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


def start(where: paths.Paths) -> None:
    """As far as folders are concerned."""
    where.prepare()
    where.remember_data()


def test_a_start_that_was_refused_leads_nobody_astray(tmp_path):
    paths.of_cluster("a", str(tmp_path / "others")).prepare()
    assert paths.of_cluster("a").data != tmp_path / "others"


def test_the_name_alone_finds_a_cluster_whose_data_is_elsewhere(tmp_path: pathlib.Path):
    assert paths.of_cluster("a").data == tmp_path / "share/steersman/a"
    start(paths.of_cluster("a", str(tmp_path / "elsewhere")))
    assert paths.of_cluster("a").data == tmp_path / "elsewhere"
    assert paths.of_cluster("b").data == tmp_path / "share/steersman/b"


def test_the_last_start_counts(tmp_path: pathlib.Path):
    for folder in ("one", "two"):
        start(paths.of_cluster("a", str(tmp_path / folder)))
    assert paths.of_cluster("a", str(tmp_path / "one")).data == tmp_path / "one"
    assert paths.of_cluster("a", str(tmp_path / "one")).in_use().data == tmp_path / "two"


def test_a_purge_deletes_a_cluster_s_folder_only(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    precious = tmp_path / "home" / "letter"
    precious.parent.mkdir()
    precious.write_text("dear")
    assert down.run("a", str(precious.parent), purge=True) == 1
    assert precious.exists()
    assert "nothing was deleted" in capsys.readouterr().err
    own = paths.of_cluster("a", str(tmp_path / "own"))
    own.prepare()
    options.save(own.options, Options(name="a", nodes=0, fake_nodes=1))
    lock = os.open(own.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert down.run("b", str(own.data), purge=True) == 1
    assert own.options.exists()
    os.close(lock)
    assert down.run("a", str(own.data), purge=True) == 0
    assert not own.data.exists()


def test_a_cluster_does_not_move_into_a_folder_in_use(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "letter").write_text("dear")
    flags = {"nodes": 0, "fake_nodes": 1}
    assert up.run("a", str(tmp_path), flags, kubeconfig=None, detach=True, example_images=False) == 1
    assert "choose another --data-dir" in capsys.readouterr().err
    assert (tmp_path / "letter").exists()


def test_the_network_numbers_of_other_clusters(tmp_path: pathlib.Path):
    """Of those beside it, and of those elsewhere that were started and not purged; without what cannot be read."""
    run, data = tmp_path / "run", tmp_path / "data"
    own, beside, broken, elsewhere = (
        paths.Paths(folder / name, run / name)
        for folder, name in ((data, "own"), (data, "beside"), (data, "broken"), (tmp_path / "far", "elsewhere"))
    )
    for number, one in enumerate((own, beside, broken, elsewhere)):
        one.prepare()
        options.save(one.options, Options(network_number=number))
    broken.options.write_text("no")
    elsewhere.remember_data()
    own.remember_data()
    assert options.network_numbers(own.others()) == {1, 3}


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "a/b", "a b", "-a", "a.", "a\n", "ü"], ids=repr)
def test_names_that_lead_elsewhere(name: str):
    with pytest.raises(ValueError, match="can be no cluster's name"):
        paths.of_cluster(name)
    refused = CliRunner().invoke(commands.main, ["down", "--purge", "--name", name])
    assert refused.exit_code == 2
    assert "can be no cluster's name" in refused.output


@pytest.mark.parametrize("name", ["steersman", "a", "three-17", "Team_2.0"])
def test_names(name: str):
    assert paths.of_cluster(name).data.name == name


def test_a_prepared_folder_holds_no_other_things(tmp_path: pathlib.Path) -> None:
    own = paths.Paths(tmp_path / "data", tmp_path / "run")
    own.prepare()
    assert not own.holds_other_things()
