"""Content parts, annotations and log probabilities."""

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field, WrapValidator

from rxstream.events._base import Model
from rxstream.events._lenient import OPEN, Code, Json, JsonObject, Number, fallback

__all__ = [
    "Annotation",
    "ComputerScreenshotPart",
    "ContainerFileCitationAnnotation",
    "ContentPart",
    "FileCitationAnnotation",
    "FilePathAnnotation",
    "InputFilePart",
    "InputImagePart",
    "InputTextPart",
    "InputVideoPart",
    "Logprob",
    "OutputTextPart",
    "ReasoningTextPart",
    "RefusalPart",
    "ResponseErrorInfo",
    "SummaryTextPart",
    "TextPart",
    "TopLogprob",
    "UnknownAnnotation",
    "UnknownPart",
    "UrlCitationAnnotation",
]

# --- annotations -----------------------------------------------------------------------------------------------------


class FileCitationAnnotation(Model, frozen=True):
    """A citation of a file from file search; `index` is its place in the text."""

    type: Literal["file_citation"]
    file_id: str = ""
    filename: str = ""
    index: int = 0


class UrlCitationAnnotation(Model, frozen=True):
    """A citation of a web page. Some servers (xAI) do not send the indices."""

    type: Literal["url_citation"]
    url: str
    title: str = ""
    start_index: int | None = None
    end_index: int | None = None


class ContainerFileCitationAnnotation(Model, frozen=True):
    """A citation of a file in a code interpreter's container."""

    type: Literal["container_file_citation"]
    container_id: str = ""
    file_id: str = ""
    filename: str = ""
    start_index: int | None = None
    end_index: int | None = None


class FilePathAnnotation(Model, frozen=True):
    """A path to a file that the model made."""

    type: Literal["file_path"]
    file_id: str = ""
    index: int = 0


class UnknownAnnotation(Model, frozen=True):
    """An annotation of an unknown type, or one that does not fit its type. All its fields are kept."""

    type: str = ""


KnownAnnotation: TypeAlias = (
    FileCitationAnnotation | UrlCitationAnnotation | ContainerFileCitationAnnotation | FilePathAnnotation
)
Annotation: TypeAlias = Annotated[
    Annotated[KnownAnnotation, Field(discriminator="type")]
    | Annotated[UnknownAnnotation, WrapValidator(fallback(get_args(KnownAnnotation)))],
    Field(union_mode="left_to_right"),
]
"""Any annotation, by its `type`."""


# --- log probabilities -----------------------------------------------------------------------------------------------


class TopLogprob(Model, frozen=True):
    """One of the most likely tokens at a position."""

    token: str = ""
    logprob: Number = 0
    bytes: list[int] | None = None


class Logprob(Model, frozen=True):
    """A token of the answer with its log probability."""

    token: str = ""
    logprob: Number = 0
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


# --- parts -----------------------------------------------------------------------------------------------------------


class OutputTextPart(Model, frozen=True):
    """Text that the model wrote."""

    type: Literal["output_text"]
    text: str = ""
    annotations: list[Annotation] = Field(default_factory=list[Annotation])
    logprobs: list[Logprob] | None = None


class RefusalPart(Model, frozen=True):
    """The model's refusal to answer."""

    type: Literal["refusal"]
    refusal: str = ""


class ReasoningTextPart(Model, frozen=True):
    """Text of the model's reasoning."""

    type: Literal["reasoning_text"]
    text: str = ""


class SummaryTextPart(Model, frozen=True):
    """Text of a summary of the model's reasoning."""

    type: Literal["summary_text"]
    text: str = ""


class TextPart(Model, frozen=True):
    """Plain text."""

    type: Literal["text"]
    text: str = ""


class InputTextPart(Model, frozen=True):
    """Text of the input."""

    type: Literal["input_text"]
    text: str = ""
    prompt_cache_breakpoint: JsonObject | None = None


class InputImagePart(Model, frozen=True):
    """An image of the input."""

    type: Literal["input_image"]
    image_url: str | None = None
    file_id: str | None = None
    detail: Annotated[Literal["low", "high", "auto", "original"] | str, OPEN] = "auto"
    prompt_cache_breakpoint: JsonObject | None = None


class InputFilePart(Model, frozen=True):
    """A file of the input."""

    type: Literal["input_file"]
    file_id: str | None = None
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    detail: Annotated[Literal["auto", "low", "high"] | str, OPEN] | None = None
    prompt_cache_breakpoint: JsonObject | None = None


class InputVideoPart(Model, frozen=True):
    """A video of the input."""

    type: Literal["input_video"]
    video_url: str = ""


class ComputerScreenshotPart(Model, frozen=True):
    """A screenshot of the computer that the model uses."""

    type: Literal["computer_screenshot"]
    image_url: str | None = None
    file_id: str | None = None


class UnknownPart(Model, frozen=True):
    """A part of an unknown type, or one that does not fit its type. All its fields are kept."""

    type: str = ""


KnownPart: TypeAlias = (
    OutputTextPart
    | RefusalPart
    | ReasoningTextPart
    | SummaryTextPart
    | TextPart
    | InputTextPart
    | InputImagePart
    | InputFilePart
    | InputVideoPart
    | ComputerScreenshotPart
)
ContentPart: TypeAlias = Annotated[
    Annotated[KnownPart, Field(discriminator="type")]
    | Annotated[UnknownPart, WrapValidator(fallback(get_args(KnownPart)))],
    Field(union_mode="left_to_right"),
]
"""Any content part, by its `type`."""


# --- errors ----------------------------------------------------------------------------------------------------------


class ResponseErrorInfo(Model, frozen=True):
    """An error of the API. `code` is a `str`, also if the server sent a number."""

    code: Code | None = None
    message: str = ""
    param: str | None = None
    type: str | None = None
    misalignment: Json = None
    headers: Json = None
