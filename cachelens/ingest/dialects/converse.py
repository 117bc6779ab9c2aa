"""Bedrock's Converse spelling of the Messages API. In: its blocks, tools, responses. Out: Anthropic's spelling."""

from __future__ import annotations

from cachelens.ingest.dialects.values import NOTHING, Fields, fields, kind_of, object_of, string_of, text


def anthropic_block(block: Fields) -> tuple[Fields, str]:
    """A content block in Anthropic's spelling, and the path from the block to where its fields stand.

    A block that has a `type` is in that spelling already.
    """
    if "type" in block:
        return block, ""
    marker = {"cachePoint": block["cachePoint"]} if "cachePoint" in block else {}
    for key, type_ in (("text", "text"), ("toolUse", "tool_use"), ("toolResult", "tool_result")):
        value = block.get(key)
        if kind_of(value) == "string" and key == "text":
            return {"type": string_of(type_), **block}, ""
        if kind_of(value) == "object":
            inner = fields(block[key])
            if "toolUseId" in inner:
                inner["tool_use_id" if key == "toolResult" else "id"] = inner.pop("toolUseId")
            return {**inner, **marker, "type": string_of(type_)}, f".{key}"
    if kind_of(block.get("reasoningContent")) == "object":
        return _reasoning(fields(block["reasoningContent"]), marker)
    for key in ("image", "document"):
        if kind_of(block.get(key)) == "object":
            return _media(key, fields(block[key]), marker), f".{key}"
    return block, ""


def _reasoning(inner: Fields, marker: Fields) -> tuple[Fields, str]:
    if kind_of(inner.get("reasoningText")) == "object":
        given = fields(inner["reasoningText"])
        thinking = {"type": string_of("thinking"), "thinking": given.get("text", NOTHING) or string_of("")}
        if "signature" in given:
            thinking["signature"] = given["signature"]
        return {**thinking, **marker}, ".reasoningContent.reasoningText"
    data = string_of(text(inner.get("redactedContent")))
    return {"type": string_of("redacted_thinking"), "data": data, **marker}, ".reasoningContent"


def _media(key: str, inner: Fields, marker: Fields) -> Fields:
    source = fields(inner["source"]) if kind_of(inner.get("source")) == "object" else {}
    prefix = "image" if key == "image" else "application"
    given = {
        "type": string_of("base64"),
        "media_type": string_of(f"{prefix}/{text(inner.get('format'))}"),
    }
    if "bytes" in source:
        given["data"] = source["bytes"]
    elif kind_of(source.get("text")) == "string":
        given |= {"type": string_of("text"), "data": source["text"]}
    elif kind_of(source.get("content")) == "list":
        given |= {"type": string_of("content"), "content": source["content"]}
    elif kind_of(source.get("s3Location")) == "object":
        given["url"] = fields(source["s3Location"]).get("uri", NOTHING)
    block = {"type": string_of(key), "source": object_of(given), **marker}
    if key == "document" and "name" in inner:
        block["title"] = inner["name"]
    return block


def anthropic_tool(tool: bytes) -> bytes | None:
    """A tool definition in Anthropic's spelling; None for an entry that is only a marker."""
    given = fields(tool)
    if kind_of(given.get("toolSpec")) != "object":
        return None if set(given) == {"cachePoint"} else tool
    spec = fields(given["toolSpec"])
    schema = spec.pop("inputSchema", NOTHING)
    if kind_of(schema) == "object":
        spec["input_schema"] = fields(schema).get("json", schema)
    return object_of(spec)


def anthropic_tool_choice(choice: bytes) -> bytes:
    """A tool choice such as `{"tool": {"name": ..}}` in Anthropic's spelling; nothing where there is none."""
    given = fields(choice) if kind_of(choice) == "object" else {}
    for type_ in ("auto", "any", "tool"):
        if kind_of(given.get(type_)) == "object":
            return object_of({**fields(given[type_]), "type": string_of(type_)})
    return choice


def anthropic_reply(reply: Fields) -> Fields:
    """A response in Anthropic's spelling."""
    if kind_of(reply.get("output")) != "object":
        return reply
    message = fields(reply["output"]).get("message", NOTHING)
    inner = fields(message) if kind_of(message) == "object" else {}
    return {"content": inner.get("content", NOTHING), "usage": reply.get("usage", NOTHING)}
