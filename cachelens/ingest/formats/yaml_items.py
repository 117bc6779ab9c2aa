"""YAML read one item at a time. In: a stream. Out: the items of one list in it, as plain values.

Built from the events of the parser: no object but texts, bytes, numbers, lists and maps is ever made,
whatever a tag says, and an alias, which could stand for gigabytes, is refused. Memory holds one item.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.source import MAX_RECORD_BYTES, Feed

#: Bytes of a document that are read, so that one endless text cannot fill the memory.
MAX_DOCUMENT_BYTES = 256 << 20
#: Values in one item, and how deep they may be nested.
_MOST_VALUES = 1 << 20
_DEEPEST = 500
_CHUNK = 1 << 16
_TAG = "tag:yaml.org,2002:"
#: Plain values that stay the text that they are; a date is one, because JSON has none.
_TEXTS = frozenset({_TAG + name for name in ("str", "timestamp", "merge", "value")})


class _Limited:
    """A stream for the parser. Where it breaks or grows too large it raises, so that no item ends there unnoticed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._left = MAX_DOCUMENT_BYTES

    def read(self, size: int) -> bytes:
        """Up to `size` bytes. Raises one of STREAM_ERRORS, or RecordError behind MAX_DOCUMENT_BYTES."""
        data = self._feed.read(min(size, _CHUNK))
        self._left -= len(data)
        if self._left < 0:
            detail = f"a YAML document of more than {MAX_DOCUMENT_BYTES >> 20} MiB"
            raise RecordError("record-too-large", detail)
        return data


class YamlItems:
    """The items of the list under `key` at the top of a YAML document.

    Iterating gives a value for each item, or the RecordError with which it is left out. It raises
    RecordError where the document itself is broken or too large, and one of STREAM_ERRORS where the
    compressed stream below it is.
    """

    def __init__(self, feed: Feed, key: str) -> None:
        import yaml  # 40 ms, which other formats need not pay

        self._yaml = yaml
        self._key = key
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = yaml.parse(_Limited(feed), Loader=loader)
        self._resolver = yaml.resolver.Resolver()
        constructor = yaml.constructor.SafeConstructor()
        # Not `construct_object`, which remembers every node.
        self._typed = {
            _TAG + "null": constructor.construct_yaml_null,
            _TAG + "bool": constructor.construct_yaml_bool,
            _TAG + "int": constructor.construct_yaml_int,
            _TAG + "float": constructor.construct_yaml_float,
        }

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._document()
        except self._yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f" at line {mark.line + 1}" if mark is not None else ""
            raise RecordError("bad-yaml", f"no valid YAML{place}; what follows is lost") from None

    def _document(self) -> Iterator[Any]:
        yaml = self._yaml
        event = next(self._events)
        while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            event = next(self._events)
        if not isinstance(event, yaml.MappingStartEvent):
            return
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            self._pass_over(event)
            event = next(self._events)
            if key == self._key and isinstance(event, yaml.SequenceStartEvent):
                yield from self._items()
            else:
                self._pass_over(event)

    def _items(self) -> Iterator[Any]:
        while not isinstance(event := next(self._events), self._yaml.SequenceEndEvent):
            yield self._value(event)

    def _pass_over(self, event: Any) -> None:
        """Read on to the end of the value that begins with `event`."""
        depth = self._nesting(event)
        while depth:
            depth += self._nesting(next(self._events))

    def _nesting(self, event: Any) -> int:
        if isinstance(event, self._yaml.CollectionStartEvent):
            return 1
        return -1 if isinstance(event, self._yaml.CollectionEndEvent) else 0

    def _value(self, event: Any) -> Any:
        """The value that begins with `event`, or why it is left out. Reads to its end in any case."""
        item, depth = _Item(), 0
        refused: RecordError | None = None
        while True:
            depth += self._nesting(event)
            if refused is None:
                try:
                    self._take(event, item, depth)
                except RecordError as error:
                    refused, item = error, _Item()
            if not depth:
                return refused if refused is not None else item.open[0][0]
            event = next(self._events)

    def _take(self, event: Any, item: _Item, depth: int) -> None:
        """Add an event to an item. Raises RecordError for what is refused."""
        yaml = self._yaml
        if isinstance(event, yaml.CollectionEndEvent):
            item.end()
            return
        if isinstance(event, yaml.AliasEvent):
            raise RecordError("bad-yaml", "an alias (`*name`), which is not followed")
        if isinstance(event, yaml.CollectionStartEvent):
            if event.tag not in (None, _TAG + "map", _TAG + "seq"):
                raise RecordError("bad-yaml", "a tag that stands for an object")
            if depth > _DEEPEST:
                raise RecordError("too-deep", "nested too deeply")
            item.begin(isinstance(event, yaml.MappingStartEvent))
        else:
            item.size += len(event.value)
            item.open[-1].append(self._scalar(event))
        item.count += 1
        if item.size > MAX_RECORD_BYTES or item.count > _MOST_VALUES:
            detail = f"an item of more than {MAX_RECORD_BYTES >> 20} MiB or {_MOST_VALUES:,} values"
            raise RecordError("record-too-large", detail)

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            if tag == "!" or not event.implicit[0]:
                return event.value
            tag = self._resolver.resolve(self._yaml.ScalarNode, event.value, (True, False))
        if tag == _TAG + "binary":
            try:
                return base64.b64decode("".join(event.value.split()), validate=True)
            except (binascii.Error, ValueError):
                raise RecordError("bad-encoding", "binary data that is no valid base64") from None
        if tag in _TEXTS:
            return event.value
        typed = self._typed.get(tag)
        if typed is None:
            raise RecordError("bad-yaml", "a tag that stands for an object")
        try:
            return typed(self._yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError, KeyError, IndexError, self._yaml.YAMLError):
            raise RecordError("bad-yaml", "a value that is not what its tag says") from None


@dataclass(slots=True)
class _Item:
    """An item while it is read: the values of each open collection (of a map, keys and values by turns)."""

    open: list[list[Any]] = field(default_factory=lambda: [[]])
    maps: list[bool] = field(default_factory=lambda: [False])
    size: int = 0
    count: int = 0

    def begin(self, is_map: bool) -> None:
        """Open a collection."""
        self.open.append([])
        self.maps.append(is_map)

    def end(self) -> None:
        """Close the latest collection."""
        values, is_map = self.open.pop(), self.maps.pop()
        self.open[-1].append(_mapping(values) if is_map else values)


def _mapping(values: list[Any]) -> dict[Any, Any]:
    keys = values[::2]
    if any(isinstance(key, (list, dict)) for key in keys):
        raise RecordError("bad-yaml", "a map or list as the key of a map")
    return dict(zip(keys, values[1::2], strict=True))
