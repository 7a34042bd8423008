"""Pages for people: the one-time link, pairing. No script, nothing foreign, nothing to cache."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

from homeport.kernel.errors import HomeportError
from homeport.kernel.http.errors import face_of

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;"
    "color:#12263a;background:#f6f8fa}label{display:block;margin-top:1rem}"
    "input{box-sizing:border-box;width:100%;font:inherit;padding:.5rem;border:1px solid #8296a8;"
    "border-radius:.3rem}button{margin-top:1.5rem;font:inherit;padding:.5rem 1.2rem;border:0;"
    "border-radius:.3rem;background:#0b5cad;color:#fff}.fault{color:#a4161a}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}"
    "input{background:#161b22;color:inherit}.fault{color:#ff8182}}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}


def form_page(*, username: str, token: str, fault: str | None = None) -> HTMLResponse:
    """The form; with a fault it answers 422 and says what is wrong."""
    said = "" if fault is None else f'<p class="fault" role="alert">{escape(fault)}</p>'
    body = (
        f"<h1>Set your password</h1><p>For the account <strong>{escape(username)}</strong>. "
        f"Use a few words that do not belong together.</p>{said}"
        '<form method="post" action="/setup">'
        f'<input type="hidden" name="token" value="{escape(token)}">'
        f'<input type="hidden" name="username" autocomplete="username" value="{escape(username)}">'
        '<label>Password<input type="password" name="password" autocomplete="new-password" '
        'required autofocus></label><label>The same again<input type="password" name="repeated" '
        'autocomplete="new-password" required></label><button>Set password</button></form>'
    )
    return _page(body, status=200 if fault is None else 422)


def done_page(*, username: str) -> HTMLResponse:
    """What is shown when the password is set."""
    return _page(
        f"<h1>Done</h1><p>The password of <strong>{escape(username)}</strong> is set, and every "
        "device that was signed in is signed out. This link is used up; you may close the page.</p>"
    )


def pair_page(*, address: str, user_code: str | None) -> HTMLResponse:
    """How a device is let in, on that device or on another one."""
    shown = escape(user_code or "WDJB-MJHT")
    asks = (
        f"<p>A device asks to be let in and shows <strong>{shown}</strong>. Does it? Then let it "
        "in:</p>"
        if user_code
        else f"<p>To sign a device in, choose &ldquo;pair&rdquo; in its Homeport app and give it "
        f"the address <strong>{escape(address)}</strong>. It shows a code such as "
        f"<strong>{shown}</strong>. Let it in:</p>"
    )
    return _page(
        f"<h1>Pair a device</h1>{asks}<ul><li>on the machine that runs Homeport: "
        f"<code>homeport pair {shown}</code></li><li>or where you are signed in: approve the code "
        "there</li></ul><p>Never let a code in that somebody sent you: it lets <em>their</em> "
        "device into your account.</p>"
    )


def refusal_page(refusal: HomeportError) -> HTMLResponse:
    """Why the link does not open."""
    body = f"<h1>{escape(refusal.title)}</h1>"
    if refusal.detail != refusal.title:
        body += f"<p>{escape(refusal.detail)}</p>"
    return _page(body, status=face_of(refusal).status)


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Homeport</title><style>{_STYLE}</style></head><body>{body}</body></html>",
        status_code=status,
        headers=_HEADERS,
    )
