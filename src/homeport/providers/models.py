"""Which models this server offers, and who serves each."""

from __future__ import annotations

from collections.abc import Sequence

from homeport.providers.errors import UnknownModel
from homeport.providers.port import ModelInfo, Provider


class Models:
    """The providers of this server, in order of preference.

    Args:
        providers: At least one.
        default: The model of a session that names none; None for the first provider's first.

    Raises:
        UnknownModel: `default` is served by none of them.
    """

    def __init__(self, providers: Sequence[Provider], *, default: str | None = None) -> None:
        self._providers = tuple(providers)
        self._default = default if default is not None else self._providers[0].models()[0].id
        self.get(self._default)

    @property
    def default(self) -> str:
        """The model of a session that names none."""
        return self._default

    def get(self, model_id: str) -> tuple[Provider, ModelInfo]:
        """Who serves `model_id`, and what it is.

        Raises:
            UnknownModel: Nobody does.
        """
        for provider in self._providers:
            info = provider.find(model_id)
            if info is not None:
                return provider, info
        raise UnknownModel(f"No model is called {model_id!r} here.", param="model")

    def all(self) -> list[ModelInfo]:
        """Every listed model: the default first, then by provider."""
        listed = {info.id: info for provider in self._providers for info in provider.models()}
        default = self.get(self._default)[1]
        return [default, *(info for info in listed.values() if info.id != default.id)]

    async def warm(self) -> None:
        """Loads what is slow to load before the first call needs it."""
        for provider in self._providers:
            await provider.warm()

    async def close(self) -> None:
        """Closes every provider."""
        for provider in self._providers:
            await provider.close()
