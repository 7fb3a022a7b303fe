"""pflag's way with a command line, as a table."""

import pytest

from steersman.kubectl import flags
from steersman.kubectl.flags import Flag

FLAGS = (
    Flag("all", flags.BOOL, short="A"),
    Flag("stdin", flags.BOOL, short="i"),
    Flag("tty", flags.BOOL, short="t"),
    Flag("output", short="o"),
    Flag("dry-run", default="none", bare="unchanged"),
    Flag("chunk-size", flags.INT, 500),
    Flag("timeout", flags.DURATION, 30.0),
    Flag("labels", flags.LIST, short="L"),
    Flag("raw", flags.STRINGS),
    Flag("pairs", flags.MAP),
)


def given(*line: str) -> dict[str, object]:
    parsed = flags.parse(line, FLAGS)
    return {name: parsed.values[name] for name in parsed.values.flags if parsed.values.changed(name)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("-ojson",), {"output": "json"}),
        (("-o=json",), {"output": "json"}),
        (("-o", "json"), {"output": "json"}),
        (("--output=json",), {"output": "json"}),
        (("--output", "json"), {"output": "json"}),
        (("--output", "--all"), {"output": "--all"}),
        (("-it",), {"stdin": True, "tty": True}),
        (("-itoyaml",), {"stdin": True, "tty": True, "output": "yaml"}),
        (("--all=false",), {"all": False}),
        (("--all=T",), {"all": True}),
        (("--dry-run",), {"dry-run": "unchanged"}),
        (("--dry-run=client",), {"dry-run": "client"}),
        (("--dry_run=client",), {"dry-run": "client"}),
        (("--chunk-size=0x10",), {"chunk-size": 16}),
        (("--timeout", "1m30s"), {"timeout": 90.0}),
        (("-L", "a,b", "-L", "c"), {"labels": ("a", "b", "c")}),
        (("-L", '"a,b",c'), {"labels": ("a,b", "c")}),
        (("--raw", "a,b", "--raw", "c"), {"raw": ("a,b", "c")}),
        (("--pairs", "a=1,b=2", "--pairs=c=3"), {"pairs": {"a": "1", "b": "2", "c": "3"}}),
        (("--", "--all"), {}),
    ],
    ids=str,
)
def test_what_is_given(line: tuple[str, ...], expected: dict[str, object]) -> None:
    assert given(*line) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--foo",), "unknown flag: --foo"),
        (("-ix",), "unknown shorthand flag: 'x' in -x"),
        (("--output",), "flag needs an argument: --output"),
        (("-io",), "flag needs an argument: 'o' in -o"),
        (("--=x",), "bad flag syntax: --=x"),
        (("--all=2",), 'invalid argument "2" for "-A, --all" flag: strconv.ParseBool: parsing "2": invalid syntax'),
        (
            ("--chunk-size=x",),
            'invalid argument "x" for "--chunk-size" flag: strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (("--timeout=5",), 'invalid argument "5" for "--timeout" flag: time: missing unit in duration "5"'),
        (("--pairs=x",), 'invalid argument "x" for "--pairs" flag: x must be formatted as key=value'),
    ],
    ids=str,
)
def test_what_cannot_be_read(line: tuple[str, ...], said: str) -> None:
    with pytest.raises(flags.FlagError) as refused:
        flags.parse(line, FLAGS)
    assert str(refused.value) == said


def test_arguments_and_the_dash() -> None:
    parsed = flags.parse(["pod", "--all", "x", "--", "ls", "-l"], FLAGS)
    assert (parsed.arguments, parsed.before_dash) == (("pod", "x", "ls", "-l"), 2)
    assert flags.parse(["pod"], FLAGS).before_dash == -1


def test_defaults_are_not_changes() -> None:
    values = flags.parse(["--chunk-size=500"], FLAGS).values
    assert (values["chunk-size"], values.changed("chunk-size")) == (500, True)
    assert (values["timeout"], values.changed("timeout")) == (30.0, False)
    assert values["labels"] == ()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (["get", "pods"], 0),
        (["-n", "x", "get"], 2),
        (["--namespace=x", "get"], 1),
        (["--help", "get"], 1),
        (["--foo", "get", "pods"], 2),
        (["--", "get"], -1),
        ([], -1),
    ],
    ids=str,
)
def test_where_the_verb_stands(line: list[str], place: int) -> None:
    known = {flag.name: flag for flag in (Flag("namespace", short="n"), Flag("help", flags.BOOL))}
    assert flags.find_argument(line, known) == place
