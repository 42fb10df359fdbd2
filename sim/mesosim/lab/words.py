"""What is wrong in a file, in words: key, value and what is allowed, from pydantic's findings."""

from __future__ import annotations

from typing import Any


def sentence(item: Any, tags: frozenset[str] = frozenset()) -> str:
    """One finding of `pydantic.ValidationError.errors()`; `tags`: names of alternatives, which are no keys."""
    key = ""
    for part in item["loc"]:
        if part in tags and key.endswith("]"):
            continue
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
