"""What is believed of what a server says of itself."""

import base64

import pytest
import yaml

from steersman.aio.clock import SystemClock
from steersman.api import bootstrap_tokens
from steersman.cluster import pki, tokens
from steersman.cluster.join import discovery
from steersman.cluster.join.discovery import Refused, Token

TOKEN = Token("abcdef", "0123456789abcdef")


def authority(folder):
    return pki.Authority(folder, SystemClock().now()).pair.certificate.read_bytes()


def told(certificates: bytes, signature: str = "") -> dict[str, str]:
    """`cluster-info` of somebody who knows the token."""
    cluster = {"certificate-authority-data": base64.b64encode(certificates).decode(), "server": "https://10.0.0.1:6443"}
    content = yaml.safe_dump({"clusters": [{"cluster": cluster, "name": ""}]})
    signed = signature or bootstrap_tokens.signature(content, TOKEN.id, TOKEN.secret)
    return {"kubeconfig": content, "jws-kubeconfig-abcdef": signed}


def test_only_the_authority_whose_key_is_pinned_is_believed(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    known, other = authority(tmp_path / "a"), authority(tmp_path / "b")
    pins = [tokens.pin_of(known)]
    for both in (known + other, other + known):
        assert discovery.authority(told(both), TOKEN, pins) == known
        assert discovery.authority(told(both), TOKEN, ()) == both
        assert discovery.authority(told(both), TOKEN, [*pins, tokens.pin_of(other)]) == both
    with pytest.raises(Refused, match="not the one that --ca-cert-hash names"):
        discovery.authority(told(other), TOKEN, pins)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (told(b"no certificate"), "cannot be read"),
        (told(b""), "cannot be read"),
        (told(b"", "not ASCII: \u00e9"), "The secret part of the token"),
    ],
)
def test_what_cannot_be_believed_is_refused_in_a_sentence(found, said):
    with pytest.raises(Refused, match=said):
        discovery.authority(found, TOKEN, ())
