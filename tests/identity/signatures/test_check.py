"""The judge of signatures, without a server: the RFC's own vector, and what is malformed."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.identity.signatures.check import check_signature
from homeport.identity.signatures.errors import SignatureRefused
from homeport.identity.signatures.fields import presented
from homeport.identity.signatures.keys import thumbprint_of
from homeport.identity.signatures.message import Message

# RFC 9421, appendix B.1.4 (the key), B.2 (the request) and B.2.6 (the signature).
KEY = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
HEADERS = {
    "host": "example.com",
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-length": "18",
    "signature-input": (
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    ),
    "signature": (
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lI"
        "p5WPpBKRCw==:"
    ),
}


def _message(method: str = "POST", **changed: str) -> Message:
    headers = HEADERS | {name.replace("_", "-"): value for name, value in changed.items()}
    return Message(
        method=method,
        target="/foo?param=Value&Pet=dog",
        origin="https://example.com",
        headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        body=b'{"hello": "world"}',
    )


def _bases(message: Message) -> list[bytes]:
    return [found.base(message) for found in presented(message, tag=None)]


@pytest.mark.requirement("62")
def test_signature_when_it_is_the_vector_of_the_rfc_then_it_holds() -> None:
    message = _message()
    (found,) = presented(message, tag=None)
    check_signature(message, found, KEY)


@pytest.mark.requirement("62")
@pytest.mark.parametrize(
    "altered",
    [
        _message("PUT"),
        _message(date="Tue, 20 Apr 2021 02:07:56 GMT"),
        _message(content_type="text/plain"),
        _message(content_length="19"),
        _message(signature_input=HEADERS["signature-input"].replace("1618884473", "1618884474")),
        _message(signature_input=HEADERS["signature-input"].replace('"date" ', "")),
    ],
)
def test_signature_when_the_message_of_the_rfc_is_altered_then_refused(altered: Message) -> None:
    (found,) = presented(altered, tag=None)
    with pytest.raises(SignatureRefused):
        check_signature(altered, found, KEY)


@pytest.mark.parametrize(
    "text",
    [
        "sig1",
        "sig1=1",
        'sig1="text"',
        "sig1=(",
        "sig1=(a)",
        'sig1=("@method";req)',
        'sig1=("@METHOD")',
        'sig1=("@method" "@method")',
        'sig1=("date"), sig1=("date")',
        "sig1=(" + " ".join(f'"x{number}"' for number in range(33)) + ")",
        ", ".join(f"s{number}=()" for number in range(5)),
        'sig1=("date"' + " " * 9_000 + ")",
        "\xff",
    ],
)
def test_presented_when_the_field_is_not_what_we_read_then_refused(text: str) -> None:
    message = _message(signature_input=text, signature="sig1=:AAAA:")
    with pytest.raises(SignatureRefused):
        _bases(message)


@given(st.text(max_size=60), st.text(max_size=60))
def test_presented_when_anything_is_sent_then_refused_or_read_and_nothing_else(
    described: str, signature: str
) -> None:
    message = Message(
        "GET",
        "/",
        "https://example.com",
        [
            (b"signature-input", described.encode("utf-8", "replace")),
            (b"signature", signature.encode("utf-8", "replace")),
        ],
        b"",
    )
    with suppress(SignatureRefused):
        _bases(message)


def test_thumbprint_when_it_is_the_key_of_the_rfc_then_the_known_one() -> None:
    # RFC 8037, appendix A.3.
    public = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint_of(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
