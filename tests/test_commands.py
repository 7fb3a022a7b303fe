"""The command line's own help."""

from click.testing import CliRunner

from steersman import commands


def test_help_shows_each_command_once_under_what_it_is_about():
    told = CliRunner().invoke(commands.main, ["--help"]).output
    assert "Others:" not in told
    lines = [line.split()[0] for line in told.partition("A cluster:")[2].splitlines() if line.startswith("  ")]
    for name in commands.main.commands:
        assert lines.count(name) == 1, name
