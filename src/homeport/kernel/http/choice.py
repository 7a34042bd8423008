"""Filters that take one word of a short list: another one is a 400, as 422 is for payloads."""

from __future__ import annotations

from homeport.kernel.errors import Invalid


class NotAChoice(Invalid):
    """A value outside a short list; the detail names the list."""

    code = "request.not-a-choice"
    title = "This is none of the choices"


def chosen(value: str | None, choices: tuple[str, ...], *, param: str) -> str | None:
    """A filter's value, which is one of `choices` or absent.

    Raises:
        NotAChoice: It is another one.
    """
    if value is None or value in choices:
        return value
    raise NotAChoice(f"{param} is one of: {', '.join(choices)}.", param=param)
