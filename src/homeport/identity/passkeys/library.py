"""What the WebAuthn library does for us; slow to load, so it is imported when it is needed."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from homeport.identity.passkeys.ceremony import LIFETIME, Credential, RelyingParty
from homeport.identity.passkeys.models import Passkey

# What the library raises on input that is no credential at all, beside its own errors.
_MALFORMED: Final = (
    WebAuthnException,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    binascii.Error,
)


class Malformed(Exception):
    """What was sent is not what an authenticator sends, or proves nothing."""


def registration_options(
    party: RelyingParty, challenge: bytes, *, user_id: str, username: str, known: Sequence[bytes]
) -> dict[str, Any]:
    """What `navigator.credentials.create()` is given."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name="Homeport",
        user_name=username,
        user_id=UUID(user_id).bytes,
        challenge=challenge,
        timeout=LIFETIME // timedelta(milliseconds=1),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
    )
    return orjson.loads(options_to_json(options))


def login_options(party: RelyingParty, challenge: bytes) -> dict[str, Any]:
    """What `navigator.credentials.get()` is given; the same for everybody, whoever has passkeys."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=LIFETIME // timedelta(milliseconds=1),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return orjson.loads(options_to_json(options))


def challenge_in(credential: dict[str, Any]) -> bytes:
    """The challenge that an authenticator says it has answered.

    Raises:
        Malformed: There is none.
    """
    try:
        text: str = credential["response"]["clientDataJSON"]
        return parse_client_data_json(base64url_to_bytes(text)).challenge
    except _MALFORMED as error:
        raise Malformed from error


def credential_id_in(credential: dict[str, Any]) -> bytes:
    """The credential that an authenticator says it has used.

    Raises:
        Malformed: There is none.
    """
    try:
        return base64url_to_bytes(credential["rawId"])
    except _MALFORMED as error:
        raise Malformed from error


def registered(
    party: RelyingParty, credential: dict[str, Any], *, challenge: bytes, port: int
) -> Credential:
    """The credential that an authenticator has made.

    Raises:
        Malformed: It has not, or not for this server, or without its owner.
    """
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origins(port),
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise Malformed from error
    return Credential(made.credential_id, made.credential_public_key, made.sign_count)


def asserted(
    party: RelyingParty,
    credential: dict[str, Any],
    passkey: Passkey,
    *,
    challenge: bytes,
    port: int,
) -> int:
    """What the counter of `passkey` says, which has signed; the write that notes it judges it.

    Raises:
        Malformed: It has signed nothing, or not for this server, or without its owner.
    """
    try:
        handle = credential["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != UUID(passkey.user_id).bytes:
            raise Malformed
        said = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origins(port),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise Malformed from error
    return said.new_sign_count
