"""What is wrong in a file, in words: key, value and what is allowed; entries of a list count from 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pydantic
from pydantic_core import CoreSchema, core_schema

Flag = Annotated[bool, pydantic.Field(strict=True)]


Whole = Annotated[int, pydantic.Field(strict=True)]
Number = Annotated[float, pydantic.Field(strict=True, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `low` to `high`: who gives another is told both ends, and so is an editor by the JSON Schema."""

    low: float
    high: float
    unit: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "minimum": self.low, "maximum": self.high}

    def _check(self, value: float) -> float:
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.low:.10g} to {self.high:.10g} {self.unit}".rstrip())
        return value


def sentence(item: Any, tags: frozenset[str] = frozenset()) -> str:
    """One finding of `pydantic.ValidationError.errors()`; `tags`: names of alternatives, which are no keys."""
    key = ""
    for part in item["loc"]:
        if part in tags and key.endswith("]"):
            continue
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else str(part)
    kind, said = item["type"], item["input"]
    if kind == "extra_forbidden":
        return f"{key} = {said!r}: unknown key"
    if kind == "missing":
        return f"{key}: missing"
    if kind.startswith("union_tag"):
        tags = item["ctx"].get("expected_tags", "")
        tag = item["ctx"].get("tag")
        return f"{key}.do = {tag!r}: must be one of {tags}" if tag else f"{key}.do: missing"
    wanted = item["msg"].removeprefix("Value error, ")
    _, should, rest = wanted.partition(" should ")
    return f"{key} = {said!r}: must {rest}" if should else f"{key} = {said!r}: must be {wanted}"
