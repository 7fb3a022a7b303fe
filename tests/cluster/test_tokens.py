"""`steersman token`: kubeadm's words and columns."""

import datetime
import hashlib
import ssl

import pytest

from steersman.api import bootstrap_tokens
from steersman.cluster import pki, tokens

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
GROUP = "system:bootstrappers:kubeadm:default-node-token"


def test_the_table():
    later = NOW + datetime.timedelta(hours=23, minutes=59)
    made = [
        bootstrap_tokens.secret("abcdef", "0123456789abcdef", expires=later, groups=[GROUP]),
        bootstrap_tokens.secret("bbbbbb", "0123456789abcdef", usages=["signing"], description="for the rack"),
        bootstrap_tokens.secret("cccccc", "0123456789abcdef", usages=[], expires=NOW - datetime.timedelta(hours=1)),
    ]
    assert tokens.table(made, NOW).splitlines() == [
        "TOKEN                     TTL         EXPIRES                USAGES                   DESCRIPTION    EXTRA GROUPS",
        f"abcdef.0123456789abcdef   23h         2026-01-02T11:59:00Z   authentication,signing   <none>         {GROUP}",
        "bbbbbb.0123456789abcdef   <forever>   <never>                signing                  for the rack   <none>",
        "cccccc.0123456789abcdef   <invalid>   2026-01-01T11:00:00Z   <none>                   <none>         <none>",
    ]


def test_as_json():
    made = bootstrap_tokens.secret("abcdef", "0123456789abcdef", expires=NOW, groups=[GROUP], description="d")
    assert tokens.as_json(made) == {
        "kind": "BootstrapToken",
        "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
        "token": "abcdef.0123456789abcdef",
        "description": "d",
        "expires": "2026-01-01T12:00:00Z",
        "usages": ["authentication", "signing"],
        "groups": [GROUP],
    }


def test_what_is_made_is_a_token():
    made = bootstrap_tokens.secret("abcdef", "0123456789abcdef", groups=[GROUP])
    assert bootstrap_tokens.is_token(made)
    assert bootstrap_tokens.signs(made, NOW)
    assert bootstrap_tokens.groups(made, "abcdef", "0123456789abcdef", NOW) == ("system:bootstrappers", GROUP)


def test_the_pin_is_of_the_key(tmp_path):
    made = pki.Authority(tmp_path, NOW).pair.certificate.read_bytes()
    der = ssl.PEM_cert_to_DER_cert(made.decode())
    digest = tokens.pin_of(made).removeprefix("sha256:")
    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # of every P-256 public key
    at = der.index(prefix)
    assert digest == hashlib.sha256(der[at : at + len(prefix) + 65]).hexdigest()


@pytest.mark.parametrize(("text", "seconds"), [("24h0m0s", 86400), ("0", 0), ("90s", 90)])
def test_times_to_live(text, seconds):
    assert tokens.check_ttl(text) == seconds


WRONG = {
    "a negative time": (tokens.check_ttl, "-1h", "cannot end before"),
    "no time": (tokens.check_ttl, "soon", "not a duration"),
    "an unknown use": (tokens.check_usages, "signing,cooking", 'invalid usage: "cooking"'),
    "a group of others": (tokens.check_groups, "system:masters", 'bootstrap group "system:masters" is invalid'),
}


@pytest.mark.parametrize(("check", "text", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong_words(check, text, said):
    with pytest.raises(ValueError, match=said):
        check(text)
