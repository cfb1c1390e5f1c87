"""The certificates that come along, and which are used when."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from log_capture.net.tls import AMAZON_ROOTS, PrivateContext, PublicContext, bundles, make_context

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates(path: str) -> list[bytes]:
    return [ssl.PEM_cert_to_DER_cert(pem) for pem in _CERTIFICATE.findall(Path(path).read_text())]


def test_each_amazon_root_is_in_certifi_s_bundle() -> None:
    ours = certificates(AMAZON_ROOTS)
    assert len(ours) == 5
    assert set(ours) <= set(certificates(certifi.where()))


def test_each_fingerprint_in_the_file_is_right() -> None:
    said = re.findall(r"^# SHA-256 (\w+)$", Path(AMAZON_ROOTS).read_text(), re.MULTILINE)
    assert said == [hashlib.sha256(certificate).hexdigest() for certificate in certificates(AMAZON_ROOTS)]


def test_amazon_s_own_names_need_five_roots_only_and_fall_back_to_all() -> None:
    first, second = bundles("firehose.eu-west-1.amazonaws.com", {})
    assert first == AMAZON_ROOTS
    assert len(certificates(second)) > 50


def test_other_names_need_all_roots_at_once() -> None:
    for host in ("firehose.cn-north-1.amazonaws.com.cn", "localhost", "evilamazonaws.com"):
        assert AMAZON_ROOTS not in bundles(host, {})


def test_a_bundle_of_the_user_s_is_the_only_one() -> None:
    assert bundles("firehose.eu-west-1.amazonaws.com", {"AWS_CA_BUNDLE": "/my.pem"}) == ["/my.pem"]


def test_the_private_interface_is_used_where_it_is_as_expected() -> None:
    assert isinstance(make_context(AMAZON_ROOTS), PrivateContext)


@pytest.mark.parametrize("broken", ["import _ssl; del _ssl._SSLContext", "import _ssl; _ssl._SSLContext = lambda: 0"])
def test_the_public_module_is_used_where_it_is_not(broken: str) -> None:
    shown = "print(type(tls.make_context(tls.AMAZON_ROOTS)).__name__)"
    code = f"import ssl; {broken}; from log_capture.net import tls; {shown}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == PublicContext.__name__


def test_a_file_without_certificates_is_an_error_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("")
    with pytest.raises(OSError, match=r".*"):
        make_context(str(path))


@pytest.mark.parametrize("change", ["fewer arguments", "gone"])
def test_a_handshake_goes_through_the_public_module_where_the_private_one_is_another(change: str) -> None:
    """Seen at its first use only: the socket is handed over, and the public module speaks TLS on it."""
    context = make_context(AMAZON_ROOTS)
    assert isinstance(context, PrivateContext)

    class Another:
        """`_SSLContext`, changed."""

        if change == "fewer arguments":

            def _wrap_socket(self, sock: object) -> None:
                raise AssertionError("never called with one")

    context._context = Another()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.close()
        with pytest.raises(OSError, match=r"(?i)eof|reset|broken pipe"):  # spoken to as TLS, and not there
            context.wrap(ours, "localhost")
        assert ours.fileno() == -1  # it went over to the public module's
