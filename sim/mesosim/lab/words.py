"""What is wrong in a file, in words: key, value and what is allowed, from pydantic's findings."""

from __future__ import annotations

from typing import Any


def sentence(item: Any) -> str:
    """One finding of `pydantic.ValidationError.errors()`."""
    key = ""
    for part in item["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    kind, said = item["type"], item["input"]
    if kind == "extra_forbidden":
        return f"{key} = {said!r}: unknown key"
    if kind == "missing":
        return f"{key}: missing"
    if kind.startswith("union_tag"):
        tags = item["ctx"].get("expected_tags", "")
        tag = item["ctx"].get("tag")
        return f"{key}.do = {tag!r}: must be one of {tags}" if tag else f"{key}.do: missing"
    message = item["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{key} = {said!r}: must be {message}"
