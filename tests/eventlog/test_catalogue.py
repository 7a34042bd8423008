"""The catalogue: closed, frozen, documented, and never changed in the dark.

`golden/<kind>.v<version>.json` holds the schema of a payload and one example of it, as they were
when the version was made. A changed shape needs a new version; `python tests/support/golden.py`
adds the files of new ones and touches no other.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from homeport.cli.events_doc import document
from homeport.eventlog.catalogue import Event, catalogue, decode
from homeport.eventlog.catalogue.message import MessageStarted
from support.facts import started
from support.golden import FOLDER, golden, name_of, sample

EVENTS_MD = Path(__file__).parents[2] / "docs" / "events.md"
KINDS = sorted(catalogue().items())
each = pytest.mark.parametrize(
    ("key", "event"), KINDS, ids=[f"{kind}.v{version}" for (kind, version), _ in KINDS]
)


@each
def test_event_when_it_is_defined_then_it_is_frozen_closed_and_says_what_it_is(
    key: tuple[str, int], event: type[Event]
) -> None:
    assert event.model_config.get("frozen")
    assert event.model_config.get("extra") == "forbid"
    assert event.__doc__
    assert (event.kind, event.version) == key
    assert event.__module__.startswith("homeport.eventlog.catalogue.")


@each
def test_payload_when_compared_with_its_golden_then_it_has_not_changed(
    key: tuple[str, int], event: type[Event]
) -> None:
    path = FOLDER / name_of(*key)
    assert path.exists(), "a new event needs its golden: python tests/support/golden.py"
    assert path.read_text(encoding="utf-8") == golden(event), (
        "a payload never changes its shape: define a new version beside the old one"
    )


@each
def test_payload_when_encoded_and_decoded_then_it_is_the_same_event(
    key: tuple[str, int], event: type[Event]
) -> None:
    made = event.model_validate(sample(event))
    assert decode(*key, made.encode()) == made


def test_goldens_when_counted_then_each_belongs_to_an_event() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {name_of(*key) for key, _ in KINDS}


def test_document_when_compared_with_the_catalogue_then_it_is_current() -> None:
    made = document()
    assert EVENTS_MD.read_text(encoding="utf-8") == made, "run: make events-doc"
    for (kind, _), _event in KINDS:
        assert f"### `{kind}`" in made


def test_event_when_changed_then_it_is_refused() -> None:
    with pytest.raises(ValidationError):
        started().model = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_event_when_given_a_member_that_it_does_not_have_then_it_is_refused() -> None:
    with pytest.raises(ValidationError):
        MessageStarted.model_validate({**started().model_dump(), "more": 1})


def test_kind_when_it_is_taken_then_a_second_class_is_refused() -> None:
    with pytest.raises(TypeError, match="exists already"):
        type("Again", (Event,), {"__module__": __name__, "kind": "message.started"})


@pytest.mark.parametrize("kind", ["started", "Message.started", "message.started.twice", "m.9"])
def test_kind_when_it_is_malformed_then_it_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"not noun\.verb-ed"):
        type("Wrong", (Event,), {"__module__": __name__, "kind": kind})


def test_decode_when_the_catalogue_has_no_such_version_then_it_says_so() -> None:
    with pytest.raises(LookupError, match=r"message\.started v99"):
        decode("message.started", 99, b"{}")
