"""The secret of this installation, for the server and for the commands that work beside it."""

from __future__ import annotations

from homeport.kernel.crypto import KeyRing, load_secret
from homeport.settings import Settings


def keyring_of(settings: Settings) -> KeyRing:
    """The keys that `SECRET_KEY` or `DATA_DIR/secret.key` gives; makes that file if it is absent.

    Raises:
        SecretUnsafe: The secret is too short, or others may read it.
    """
    given = settings.secret_key
    if given is not None:
        return KeyRing(given.get_secret_value().encode())
    return KeyRing(load_secret(settings.data_path / "secret.key"))
