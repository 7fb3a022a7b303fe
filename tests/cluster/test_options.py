"""Flags are remembered; what is given again replaces what was."""

from steersman.cluster import options
from steersman.cluster.options import Options


def test_a_first_start_has_the_defaults(tmp_path):
    assert options.load(tmp_path / "options.json") is None
    assert options.merged(None, {"nodes": None}) == Options()


def test_kept_and_read_back(tmp_path):
    wanted = Options(nodes=3, fake_nodes=100, store="memory")
    options.save(tmp_path / "options.json", wanted)
    assert options.load(tmp_path / "options.json") == wanted


def test_a_flag_given_again_replaces_only_itself():
    assert options.merged(Options(nodes=3, port=7000), {"port": 8000, "nodes": None}) == Options(nodes=3, port=8000)


def test_node_names():
    assert Options(nodes=2, fake_nodes=1).node_names() == ("node1", "node2")
    assert Options(nodes=2, fake_nodes=1).fake_node_names() == ("fake1",)
