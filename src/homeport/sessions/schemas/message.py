"""What is said in them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from homeport.sessions.schemas.base import Body
from homeport.sessions.service.say import Said


def _base64(data: str) -> str:
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    return data


Base64 = Annotated[str, StringConstraints(min_length=1), AfterValidator(_base64)]


class TextBlock(Body):
    """Words."""

    type: Literal["text"]
    text: str


class EmbeddedImage(Body):
    """A picture in the message itself."""

    type: Literal["base64"]
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    data: Base64


class LinkedImage(Body):
    """A picture that the model's provider fetches."""

    type: Literal["url"]
    url: Annotated[str, StringConstraints(pattern=r"^https://[!-~]+$", max_length=2_048)]


class ImageBlock(Body):
    """A picture."""

    type: Literal["image"]
    source: Annotated[EmbeddedImage | LinkedImage, Field(discriminator="type")]


ContentBlock = Annotated[TextBlock | ImageBlock, Field(discriminator="type")]


class NewMessage(Body):
    """Something to say to the agent."""

    content: str | Annotated[list[ContentBlock], Field(max_length=100)]
    client_message_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = (
        Field(None, description="Your own id for it, unique in the session: a repeat is safe")
    )
    queue: bool = Field(True, description="Wait behind an unfinished run instead of a 409")

    def blocks(self) -> list[dict[str, Any]]:
        """The content in stored form."""
        if isinstance(self.content, str):
            return [{"type": "text", "text": self.content}]
        return [{"text": ""} | block.model_dump(mode="json") for block in self.content]


class Accepted(BaseModel):
    """The message is kept and will be answered; the answer is read from the stream."""

    message_id: str
    run_id: str
    cursor: str = Field(description="The message and its answer lie behind it")

    @classmethod
    def of(cls, said: Said) -> Accepted:
        """The view of what became of a message."""
        return cls(message_id=said.message_id, run_id=said.run_id, cursor=said.cursor)


class RunStopped(BaseModel):
    """The run ends: at once if nobody held it, else within two seconds."""

    run_id: str
    session_id: str
    status: Literal["stopped", "stopping"]
