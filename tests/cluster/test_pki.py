"""The certificates must satisfy the strictest client, and survive restarts unchanged."""

import datetime
import ssl

from cryptography import x509

from steersman.cluster import pki

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def load(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_authority_has_what_strict_clients_want(tmp_path):
    certificate = load(pki.Authority(tmp_path, NOW).pair.certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert constraints.value.ca
    assert usage.critical
    assert usage.value.key_cert_sign
    assert certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)


def test_leaf_names_its_authority(tmp_path):
    authority = pki.Authority(tmp_path, NOW)
    leaf = load(authority.server("apiserver", "kube-apiserver", ("localhost", "127.0.0.1")).certificate)
    ca = load(authority.pair.certificate)
    key_id = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key_id == ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    leaf.verify_directly_issued_by(ca)


def test_client_carries_user_and_groups(tmp_path):
    subject = load(pki.Authority(tmp_path, NOW).client(pki.node_identity("node1")).certificate).subject
    assert subject.rfc4514_string() == "CN=system:node:node1,O=system:nodes"


def test_certificates_are_kept_over_a_restart(tmp_path):
    first = pki.Authority(tmp_path, NOW).client(pki.ADMIN).certificate.read_bytes()
    assert pki.Authority(tmp_path, NOW).client(pki.ADMIN).certificate.read_bytes() == first


def test_a_serving_certificate_is_made_again_when_its_names_change(tmp_path):
    authority = pki.Authority(tmp_path, NOW)
    first = authority.server("apiserver", "kube-apiserver", ("localhost",)).certificate.read_bytes()
    second = authority.server("apiserver", "kube-apiserver", ("localhost", "172.30.0.1")).certificate.read_bytes()
    third = authority.server("apiserver", "kube-apiserver", ("172.30.0.1", "localhost")).certificate.read_bytes()
    fourth = authority.server("apiserver", "kube-apiserver", ("localhost",)).certificate.read_bytes()
    assert first != second == third != fourth


def test_a_certificate_near_its_end_is_made_again(tmp_path):
    first = pki.Authority(tmp_path, NOW).client(pki.ADMIN).certificate.read_bytes()
    later = NOW + datetime.timedelta(days=pki.LEAF_DAYS - pki.RENEW_BEFORE_DAYS + 1)
    assert pki.Authority(tmp_path, later).client(pki.ADMIN).certificate.read_bytes() != first


def test_keys_are_readable_by_their_owner_alone(tmp_path):
    authority = pki.Authority(tmp_path, NOW)
    authority.client(pki.ADMIN)
    authority.service_account_key()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")} == {0o600}


def test_openssl_accepts_the_chain(tmp_path):
    pair = pki.Authority(tmp_path, NOW).client(pki.ADMIN)
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    context.load_cert_chain(pair.certificate, pair.key)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.cert_store_stats()["x509_ca"] == 1
