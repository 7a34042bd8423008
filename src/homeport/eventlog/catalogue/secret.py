"""Facts of the server's secret, on `system`; none holds a secret."""

from __future__ import annotations

from homeport.eventlog.catalogue.base import Event


class SecretRotated(Event):
    """Every sealed value stands under the present secret; `rows` were brought under it."""

    kind = "secret.rotated"

    rows: int


class SecretForgotten(Event):
    """Secrets that no value stands under any more were taken out of the file."""

    kind = "secret.forgotten"

    secrets: int
