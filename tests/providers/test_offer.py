"""What the operator's settings come to."""

from __future__ import annotations

import pytest

from homeport.providers import DEFAULT_MODEL, UnknownModel, offer_models
from support.conversation import ask, collect, completed
from support.upstream import Upstream


@pytest.mark.parametrize(
    ("api_key", "default", "chosen"),
    [
        (None, None, "demo"),
        ("", None, "demo"),
        (None, "demo", "demo"),
        (None, "claude-opus-5", "demo"),
        ("k", None, DEFAULT_MODEL),
        ("k", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("k", "claude-of-tomorrow", "claude-of-tomorrow"),
        ("k", "demo", "demo"),
    ],
)
def test_default_model_follows_the_key(
    api_key: str | None, default: str | None, chosen: str
) -> None:
    models = offer_models(api_key=api_key, default=default)
    assert models.default == models.all()[0].id == chosen
    assert models.get("demo")[0].name == "demo"


def test_default_model_that_nobody_serves_is_refused() -> None:
    with pytest.raises(UnknownModel, match="gpt-9"):
        offer_models(api_key="k", default="gpt-9")


async def test_base_url_of_the_operator_may_be_on_loopback(server: Upstream) -> None:
    models = offer_models(api_key="k", base_url=server.url)
    await models.warm()
    provider, info = models.get(models.default)
    last = completed(await collect(provider.stream(ask(model=info.id))))
    assert last.blocks == [{"type": "text", "text": "ok"}]
    await models.close()
