"""Access tokens that this server did not write, or not like this: every one is a 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from homeport.identity.errors import CredentialRefused
from homeport.identity.opening import Identity
from homeport.identity.token_parse import MAX_TOKEN, parse_token
from homeport.kernel import clock
from identity.conftest import Shift
from identity.door import Door

JSON = dict[str, Any]
Sign = Callable[[bytes], bytes]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Forger:
    """Rebuilds a good token with other parts; knows the server's private key where it helps."""

    def __init__(self, identity: Identity, token: str) -> None:
        kid, key = identity.signing_keys.active
        private = key.private_key
        assert private is not None
        self.kid = kid
        self.private = private
        self.token = token
        self.parts = token.split(".")
        self.header: JSON = orjson.loads(_unb64(self.parts[0]))
        self.claims: JSON = orjson.loads(_unb64(self.parts[1]))
        self.foreign = rsa.generate_private_key(65537, 2048)

    def rs256(self, data: bytes) -> bytes:
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def ps256(self, data: bytes) -> bytes:
        mask = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return self.private.sign(data, mask, hashes.SHA256())

    def rs512(self, data: bytes) -> bytes:
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA512())

    def by_foreign(self, data: bytes) -> bytes:
        return self.foreign.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def hs256_with(self, secret: bytes) -> Sign:
        return lambda data: hmac.digest(secret, data, hashlib.sha256)

    def es256(self, data: bytes) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def make(
        self,
        *,
        header: JSON | str | None = None,
        claims: JSON | str | None = None,
        sign: Sign | None = None,
    ) -> str:
        """A token of these parts, by default the good ones, well signed."""
        head = header if isinstance(header, str) else json.dumps(self.header | (header or {}))
        body = claims if isinstance(claims, str) else json.dumps(self.claims | (claims or {}))
        data = f"{_b64(head.encode())}.{_b64(body.encode())}"
        return f"{data}.{_b64((sign or self.rs256)(data.encode()))}"

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def public_der(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def _by_algorithm(f: Forger, published: JSON) -> list[str]:
    nothing: Sign = lambda _: b""  # noqa: E731
    unsigned = [
        f.make(header={"alg": alg}, sign=nothing) for alg in ("none", "None", "NONE", "nOnE", "")
    ]
    secrets = (
        f.public_pem(),
        f.public_pem().strip(),
        f.public_der(),
        orjson.dumps(published),
        published["n"].encode(),
        b"",
    )
    confused = [f.make(header={"alg": "HS256"}, sign=f.hs256_with(secret)) for secret in secrets]
    return [
        *unsigned,
        *[token + "A" for token in unsigned[:1]],
        *confused,
        f.make(header={"alg": "PS256"}, sign=f.ps256),
        f.make(sign=f.ps256),
        f.make(header={"alg": "RS512"}, sign=f.rs512),
        f.make(sign=f.rs512),
        f.make(header={"alg": "ES256"}, sign=f.es256),
        f.make(header={"alg": "rs256"}),
        f.make(header={"alg": ["RS256"]}),
        f.make(header={"alg": None}),
    ]


def _by_key(f: Forger, published: JSON) -> list[str]:
    numbers = f.foreign.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "n": _b64(numbers.n.to_bytes(256, "big")),
        "e": "AQAB",
        "kid": f.kid,
    }
    embedded: list[JSON] = [
        {"jwk": jwk},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/chain"},
        {"x5c": [base64.b64encode(f.public_der()).decode()]},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
    ]
    kids: list[object] = [
        "../../../dev/null",
        "/dev/null",
        "x' UNION SELECT 'key' --",
        f.kid + "\x00",
        f.kid.upper(),
        f" {f.kid}",
        "",
        None,
        1,
        [f.kid],
        {"kid": f.kid},
    ]
    return [
        f.make(sign=f.by_foreign),
        *[f.make(header=extra, sign=f.by_foreign) for extra in embedded],
        *[f.make(header=extra) for extra in embedded],
        *[f.make(header={"kid": kid}) for kid in kids],
        *[f.make(header={"kid": kid}, sign=f.by_foreign) for kid in kids[:3]],
        f.make(header={"kid": published["n"]}),
        f.make(header=json.dumps({"alg": "RS256", "typ": "at+jwt"})),
    ]


def _by_header(f: Forger) -> list[str]:
    crits: list[object] = [["bork"], ["b64"], ["exp"], [], "bork", None, [""], ["alg"]]
    return [
        *[f.make(header={"crit": crit}) for crit in crits],
        f.make(header={"crit": ["bork"], "bork": True}),
        f.make(header={"b64": False, "crit": ["b64"]}),
        f.make(header={"b64": True}),
        f.make(header={"zip": "DEF"}),
        f.make(header={"cty": "JWT"}),
        f.make(header={"enc": "A256GCM"}),
        *[f.make(header={"typ": typ}) for typ in ("JWT", "jwt", "at+JWT", "rt+jwt", "", None)],
        f.make(header=json.dumps({"alg": "RS256", "kid": f.kid})),
        f.make(header=f'{{"alg":"RS256","typ":"at+jwt","kid":"{f.kid}","alg":"RS256"}}'),
        f.make(header=f'{{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"{f.kid}"}}'),
        f.make(header="[]"),
        f.make(header='"RS256"'),
        f.make(header="{"),
        f.make(header="[" * 4_000),
    ]


def _by_claim(f: Forger) -> list[str]:
    now = int(clock.utc_now().timestamp())
    absent = [
        f.make(claims=json.dumps({k: v for k, v in f.claims.items() if k != name}))
        for name in ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "roles", "scope")
    ]
    altered: list[JSON] = [
        {"iss": "elsewhere"},
        {"iss": ["homeport"]},
        {"aud": "elsewhere"},
        {"aud": ["homeport", "elsewhere"]},
        {"sub": 1},
        {"sub": None},
        {"sid": "01a20692-6d7b-7141-8323-1ad66097cb6e"},
        {"sub": "01a20692-6d7b-7141-8323-1ad66097cb6e"},
        {"jti": None},
        {"exp": now - 1},
        {"exp": now},
        {"exp": str(now + 60)},
        {"exp": now + 60.5},
        {"exp": True},
        {"exp": None},
        {"exp": 1 << 70},
        {"exp": -1},
        {"nbf": now + 60},
        {"nbf": "0"},
        {"iat": now + 60},
        {"iat": None},
        {"roles": "admin"},
        {"roles": [1]},
        {"scope": ["*"]},
    ]
    good = json.dumps(f.claims)
    return [
        *absent,
        *[f.make(claims=change) for change in altered],
        f.make(claims=good[:-1] + f', "exp": {now + 9_999}}}'),
        f.make(claims=good.replace(str(f.claims["exp"]), "Infinity")),
        f.make(claims=good.replace(str(f.claims["exp"]), "NaN")),
        f.make(claims=good.replace(str(f.claims["exp"]), "1e999")),
        f.make(claims="[]"),
        f.make(claims="null"),
    ]


def _by_spelling(f: Forger) -> list[str]:
    head, body, signature = f.parts
    last = signature[-1]
    twin = next(
        signature[:-1] + other
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        if other != last
    )
    flipped = bytearray(_unb64(signature))
    flipped[0] ^= 1
    promoted = _b64(json.dumps(f.claims | {"roles": ["admin"]}).encode())
    return [
        f"{head}.{body}",
        f"{head}.{body}.",
        f"{head}..{signature}",
        f".{body}.{signature}",
        f"{f.token}.",
        f"{f.token}.{signature}",
        f"{f.token}=",
        f"{head}=.{body}.{signature}",
        f"{head}.{body}=.{signature}",
        f"{head}. {body}.{signature}",
        f"{head}.{body}.{signature[:10]}+{signature[11:]}",
        f"{head}.{body}.{signature[:10]}/{signature[11:]}",
        f"{head}.{body}.{twin}",
        f"{head}.{body}.{_b64(bytes(flipped))}",
        f"{head}.{body}.{_b64(b'')}",
        f"{head}.{body}.{_b64(bytes(384))}",
        f"{head}.{promoted}.{signature}",
        f"{head}.{body}.{signature}{'A' * MAX_TOKEN}",
        f.make(claims={"pad": "x" * MAX_TOKEN}),
        "a.b.c",
        "..",
        "null",
        "undefined",
    ]


def _by_encoding(f: Forger) -> list[str]:
    """Signatures by the server's own key over encodings that RFC 8017 (9.2) does not allow.

    A verifier that parses what it should compare takes some of them: padding cut short for
    something else behind the digest, other digests, algorithm identifiers with more or less in
    them, lengths written the long way, and numbers that are the same modulo n.
    """
    numbers = f.private.private_numbers()
    modulus = numbers.public_numbers.n
    size = (modulus.bit_length() + 7) // 8
    data = ".".join(f.parts[:2])
    digest = hashlib.sha256(data.encode()).digest()
    oid = bytes.fromhex("0609608648016503040201")
    good = bytes.fromhex("3031300d") + oid + bytes.fromhex("05000420") + digest

    def padded(info: bytes, *, head: bytes = b"\x00\x01", fill: bytes = b"\xff") -> bytes:
        return head + fill * (size - 3 - len(info)) + b"\x00" + info

    def number(encoded: bytes) -> int:
        return pow(int.from_bytes(encoded, "big"), numbers.d, modulus)

    sha512 = bytes.fromhex("3051300d060960864801650304020305000440")
    shifted = padded(good)[2 + 64 :]
    encoded = [
        padded(good, fill=b"\x00"),
        padded(good, fill=b"\xfe"),
        padded(good, head=b"\x00\x02"),
        padded(good, head=b"\x00\x00"),
        padded(good, head=b"\x01\x01"),
        b"\x00\x01" + shifted[:-64] + bytes(64) + shifted[-64:],
        b"\x00\x01" + b"\xff" * 8 + b"\x00" + good + bytes(size - 11 - len(good)),
        b"\x00\x01\x00" + good + b"\xff" * (size - 3 - len(good)),
        padded(digest),
        padded(good + b"\x00"),
        padded(good[:-1]),
        padded(good[:-32] + hashlib.sha256(b"else").digest()),
        padded(bytes.fromhex("302f300b") + oid + bytes.fromhex("0420") + digest),
        padded(bytes.fromhex("3033300f") + oid + bytes.fromhex("050005000420") + digest),
        padded(bytes.fromhex("308131300d") + oid + bytes.fromhex("05000420") + digest),
        padded(bytes.fromhex("3032300d") + oid + bytes.fromhex("0500048120") + digest),
        padded(
            bytes.fromhex("3031300d0609608648016503040204") + bytes.fromhex("05000420") + digest
        ),
        padded(
            bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(data.encode()).digest()
        ),
        padded(sha512 + hashlib.sha512(data.encode()).digest()),
    ]
    right = number(padded(good))
    assert right.to_bytes(size, "big") == _unb64(f.parts[2]), "so it would be right"
    numbers_of = [*map(number, encoded), modulus - right, 0, 1, modulus - 1]
    signatures = [each.to_bytes(size, "big") for each in numbers_of]
    signatures += [
        (right + modulus).to_bytes(size + 1, "big"),
        bytes(1) + right.to_bytes(size, "big"),
        right.to_bytes(size, "big") + bytes(1),
        right.to_bytes(size, "big")[1:],
        right.to_bytes(size, "little"),
    ]
    return [f"{data}.{_b64(signature)}" for signature in signatures]


@pytest.mark.requirement("14", "15", "16", "17", "CVE-36", "CVE-37")
async def test_access_token_when_forged_then_401(door: Door) -> None:
    ada = await door.register("ada")
    forger = Forger(door.identity, ada.access)
    published = cast("JSON", door.identity.signing_keys.published()["keys"][0])
    forged = [
        *_by_algorithm(forger, published),
        *_by_key(forger, published),
        *_by_header(forger),
        *_by_claim(forger),
        *_by_spelling(forger),
        *_by_encoding(forger),
    ]
    assert len(set(forged)) >= 150
    assert (await door.me(forger.make())).status == 200  # the forger can write a good one
    for token in forged:
        assert token != ada.access
        answer = await door.me(token)
        assert answer.status == 401, token
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await door.me(ada.access)).status == 200


@pytest.mark.requirement("17")
async def test_access_token_when_its_subject_and_device_do_not_belong_together_then_401(
    door: Door,
) -> None:
    ada, eve = await door.register("ada"), await door.register("eve")
    forger = Forger(door.identity, eve.access)
    assert (await door.me(forger.make(claims={"sub": ada.id}))).status == 401


async def test_access_token_when_its_roles_claim_more_then_only_the_account_counts(
    door: Door,
) -> None:
    eve = await door.register("eve")
    boasting = Forger(door.identity, eve.access).make(claims={"roles": ["admin"]})
    assert (await door.me(boasting)).json["roles"] == ["user"]


async def test_access_token_when_verified_before_then_its_expiry_still_counts(
    identity: Identity, shift_clock: Shift
) -> None:
    token, lifetime = identity.tokens.sign(
        user_id="u",
        device_id="d",
        roles=["user"],
        scopes=None,
        not_after=clock.utc_now() + timedelta(seconds=30),
    )
    assert 29 <= lifetime <= 30  # a token never outlives its device
    assert identity.tokens.verify(token) == identity.tokens.verify(token)
    shift_clock(timedelta(seconds=31))
    with pytest.raises(CredentialRefused):
        identity.tokens.verify(token)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a", "\u0661.\u0661.\u0661", "e30.e30.e30", "\udc80.a.a", "a.a.a\n"]
)
def test_parse_token_when_it_is_no_token_then_refused(text: str) -> None:
    with pytest.raises(CredentialRefused):
        parse_token(text)
