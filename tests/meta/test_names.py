import pytest

from steersman.meta import labels, names

GOOD = {
    names.label_errors: ["a", "web-1", "1web", "a" * 63],
    names.subdomain_errors: ["a", "a.b-c.d", "x" * 253],
    names.label_1035_errors: ["web", "w1"],
    names.qualified_name_errors: ["app", "example.com/App_1", "A.b"],
    names.label_value_errors: ["", "Web_1.x", "5"],
    names.config_key_errors: ["a.txt", ".hidden", "KEY"],
    names.env_name_errors: ["A_B", "a.b-c", "with space"],
    names.port_name_errors: ["http", "a1-b"],
    names.path_segment_errors: ["system:node", "a b"],
    names.ip_errors: ["10.0.0.1", "::1"],
}
BAD = {
    names.label_errors: ["", "A", "a.b", "-a", "a" * 64],
    names.subdomain_errors: ["", "a..b", "A", "x" * 254],
    names.label_1035_errors: ["1web", "web."],
    names.qualified_name_errors: ["", "/a", "a/", "a/b/c", "UP.com/a", "-a", "a" * 64],
    names.label_value_errors: ["-a", "a b", "a" * 64],
    names.config_key_errors: ["", "a/b", ".", "..", "..a"],
    names.env_name_errors: ["", "a=b", "é"],
    names.port_name_errors: ["", "HTTP", "80", "a--b", "-a", "a" * 16],
    names.path_segment_errors: [".", "..", "a/b", "a%b"],
    names.ip_errors: ["", "10.0.0", "10.0.0.256", "x"],
}


def _cases(table):
    return [pytest.param(check, text, id=f"{check.__name__} {text[:20]!r}") for check in table for text in table[check]]


@pytest.mark.parametrize(("check", "text"), _cases(GOOD))
def test_accepts(check, text):
    assert check(text) == []


@pytest.mark.parametrize(("check", "text"), _cases(BAD))
def test_refuses(check, text):
    assert check(text)


def test_words_are_upstreams():
    assert names.label_errors("A") == [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
        "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    ]
    assert names.label_errors("a" * 64) == ["must be no more than 63 bytes"]


def test_a_prefix_may_end_in_a_dash():
    assert names.for_prefix(names.label_errors)("web-") == []
    assert names.for_prefix(names.label_errors)("Web-")


def test_generated_names_fit_a_label():
    assert names.generate("web-", "abcde") == "web-abcde"
    assert len(names.generate("x" * 100, "abcde")) == 63


def test_label_errors_carry_the_value():
    errors = labels.validate({"a": "b c"}, "metadata.labels")
    assert [(one.field, one.reason) for one in errors] == [("metadata.labels", "FieldValueInvalid")]
    assert errors[0].message.startswith('Invalid value: "b c": a valid label must be')


def test_annotations_have_a_total_size():
    assert labels.validate_annotations({"a": "x" * 1000}, "p") == []
    errors = labels.validate_annotations({"a": "x" * 262144}, "p")
    assert [str(one) for one in errors] == ["p: Too long: may not be more than 262144 bytes"]
