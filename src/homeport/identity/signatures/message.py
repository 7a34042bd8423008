"""A request as its signature sees it (RFC 9421 section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from homeport.identity.signatures.errors import SignatureRefused


@dataclass(frozen=True, slots=True)
class Message:
    """One request.

    Attributes:
        target: Path and query exactly as they were sent.
        origin: `https://host[:port]` as the operator configured it; the Host header is not asked.
        headers: Names in lower case.
    """

    method: str
    target: str
    origin: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def component(self, name: str) -> str:
        """The value of a component, without parameters.

        Raises:
            SignatureRefused: The request has none, or it is one that is not known here.
        """
        if name.startswith("@"):
            return self._derived(name)
        value = self.field(name)
        if value is None:
            raise SignatureRefused(f"The signature covers {name!r}, which the request lacks.")
        if not value.isascii() or not value.replace("\t", " ").isprintable():
            raise SignatureRefused(f"The field {name!r} is not plain text.")
        return value

    def field(self, name: str) -> str | None:
        """All lines of a header in one, as section 2.1 joins them; None when there is none."""
        wanted = name.encode()
        lines = [value.strip().decode("latin-1") for key, value in self.headers if key == wanted]
        return ", ".join(lines) if lines else None

    def _derived(self, name: str) -> str:
        origin, (path, mark, query) = urlsplit(self.origin), self.target.partition("?")
        known = {
            "@method": self.method,
            "@target-uri": self.origin + self.target,
            "@authority": origin.netloc.lower(),
            "@scheme": origin.scheme,
            "@request-target": self.target,
            "@path": path or "/",
            "@query": f"?{query}" if mark else "?",
        }
        if name not in known:
            raise SignatureRefused(f"The component {name!r} is not supported.")
        return known[name]
