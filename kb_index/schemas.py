"""What an entry of the knowledge base is: procedures and articles as they cross the edge of this package."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Level = Literal["commune", "province", "ministry", "other"]
Way = Literal["online", "in_person", "post"]
TimeUnit = Literal["hour", "working_day", "day", "month"]
OnlineLevel = Literal["full", "partial", "none"]
Layer = Literal["starter", "portal", "sheet"]
Kind = Literal["procedure", "article"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://\S+$")]
Code = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z][0-9A-Za-z._\-]{1,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)


class FormFile(_Strict):
    """A form to be filled in: its name, its official code (such as "Mẫu số 01") and where it can be had."""

    name: Text
    code: Text | None = None
    url: Url | None = None


class RequiredDocument(_Strict):
    """One paper of a dossier; `originals` and `copies` are numbers of sheets, None where nothing says it."""

    name: Text
    originals: int | None = Field(default=None, ge=0)
    copies: int | None = Field(default=None, ge=0)
    form: FormFile | None = None
    when: Text | None = Field(default=None, description="the case in which it is needed; None is always")
    note: Text | None = None


class ProcessingTime(_Strict):
    """A time limit. `value` is None where only `text` says it; otherwise `text` is the condition."""

    value: Annotated[float, Field(gt=0)] | None = None
    unit: TimeUnit | None = None
    text: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.value is None) != (self.unit is None):
            raise ValueError("value and unit of a processing time go together")
        if self.value is None and self.text is None:
            raise ValueError("a processing time needs value and unit, or text")
        return self


class Fee(_Strict):
    """A fee in đồng. `amount` None means it is decided elsewhere; then `text` says by whom."""

    amount: Annotated[int, Field(ge=0)] | None = None
    per: Text | None = None
    condition: Text | None = None
    text: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.amount is None and self.text is None:
            raise ValueError("a fee needs an amount in đồng, or text that says who decides it")
        return self


class FilingOption(_Strict):
    """One way of filing, with its own time limit and fees. No fees listed means nothing is known of them."""

    way: Way
    processing_time: ProcessingTime | None = None
    fees: list[Fee] = Field(default_factory=list)
    note: Text | None = None


class OnlineService(_Strict):
    """How far a procedure can be done online, and where."""

    level: OnlineLevel
    url: Url | None = None
    note: Text | None = None


class LegalReference(_Strict):
    """A legal document: title and number, e.g. "Luật Hộ tịch", "60/2014/QH13"."""

    title: Text
    number: Text | None = None


class Source(_Strict):
    """Where the facts come from."""

    name: Text
    url: Url | None = None
    decision: Text | None = None


class OfficialText(_Strict):
    """Official text of the fields that could not be taken apart, kept as it stands."""

    filing: Text | None = None
    documents: Text | None = None
    legal_basis: Text | None = None


class _Entry(_Strict):
    title: Text
    field: Text
    field_group: int = Field(default=1, ge=1, le=5)
    effective_from: date | None = None
    effective_to: date | None = None
    source: Source
    checked_on: date

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError("effective_to lies before effective_from")
        return self

    def is_effective(self, today: date) -> bool:
        """Return whether the entry may answer on `today` (both ends included)."""
        return (self.effective_from is None or self.effective_from <= today) and (
            self.effective_to is None or today <= self.effective_to
        )


class Procedure(_Entry):
    """An administrative procedure (thủ tục hành chính)."""

    code: Code
    everyday_names: list[Text] = Field(default_factory=list)
    not_meant: list[Text] = Field(default_factory=list)
    short_name: Text | None = None
    levels: list[Level] = Field(default_factory=list)
    agency: Text | None = None
    who_may_file: Text | None = None
    summary: Text | None = None
    steps: list[Text] = Field(default_factory=list)
    documents: list[RequiredDocument] = Field(default_factory=list)
    filing: list[FilingOption] = Field(default_factory=list)
    where_to_file: Text | None = None
    online: OnlineService | None = None
    legal_basis: list[LegalReference] = Field(default_factory=list)
    conditions: Text | None = None
    result: Text | None = None
    official: OfficialText = Field(default_factory=OfficialText)

    @property
    def key(self) -> str:
        """The key of the entry: its code."""
        return self.code

    @property
    def kind(self) -> Kind:
        """Always "procedure"."""
        return "procedure"

    @property
    def name(self) -> str:
        """What the entry is called in a sentence: the short name, else the title."""
        return self.short_name or self.title


class Link(_Strict):
    """A link with its label."""

    title: Text
    url: Url


class Phone(_Strict):
    """A telephone number with whose it is."""

    name: Text
    number: Text
    note: Text | None = None


class Article(_Entry):
    """An answer to a question that is no procedure (power cuts, opening hours, telephone numbers…)."""

    id: Code
    questions: list[Text] = Field(default_factory=list, description="ways people ask it")
    short_name: Text | None = None
    answer: Text
    details: Text | None = None
    phones: list[Phone] = Field(default_factory=list)
    links: list[Link] = Field(default_factory=list)

    @property
    def key(self) -> str:
        """The key of the entry: its id."""
        return self.id

    @property
    def code(self) -> str:
        """The id, under the name procedures use."""
        return self.id

    @property
    def kind(self) -> Kind:
        """Always "article"."""
        return "article"

    @property
    def name(self) -> str:
        """What the entry is called in a sentence: the short name, else the title."""
        return self.short_name or self.title


Entry = Procedure | Article


class LexiconTerm(_Strict):
    """An everyday term and the official terms it stands for; `never` are terms it does not mean (`not:`)."""

    model_config = ConfigDict(populate_by_name=True)

    term: Text
    means: list[Text] = Field(min_length=1)
    never: list[Text] = Field(default_factory=list, alias="not")
