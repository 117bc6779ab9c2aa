"""YAML items: the values that PyYAML's safe loader gives, for documents of any size and malice."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.formats import yaml_items
from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.yaml_items import YamlItems
from cachelens.ingest.source import Feed

SPECIAL = ["yes", "0o7", "1:20", "~", "2027-01-15", "=", "<<", "1e3", "!x", "*a", "- b", "a: b\n", " x "]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(SPECIAL),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


class NoAliases(yaml.SafeDumper):
    """PyYAML writes an alias for an object that it meets again."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def items(document: bytes, key: str = "items") -> list[Any]:
    return list(YamlItems(Feed(io.BytesIO(document)), key))


@pytest.mark.parametrize("in_c", [True, False])
@given(given_items=st.lists(values, max_size=4), flow=st.sampled_from([None, True, False]))
def test_the_values_are_those_of_the_safe_loader(
    in_c: bool, given_items: list[Any], flow: bool | None
) -> None:
    document = {"before": [1, {"a": [2]}], "items": given_items, "version": 1}
    dumped = yaml.dump(document, Dumper=NoAliases, default_flow_style=flow, allow_unicode=True).encode()
    with pytest.MonkeyPatch.context() as patch:
        if not in_c:
            patch.delattr(yaml, "CSafeLoader")
        found = items(dumped)
    assert repr(found) == repr(yaml.load(dumped, Loader=yaml.SafeLoader)["items"])


@pytest.mark.parametrize(
    "plain", ["null", "~", "", "yes", "off", "0x1F", "1_000", "1e3", "1.5", ".inf", "190:20:30", "2027-01-15"]
)
def test_plain_words_mean_what_they_mean_to_yaml(plain: str) -> None:
    document = f"items:\n- [{plain}]\n- '{plain}'\n".encode()
    expected = yaml.safe_load(document)["items"]
    if plain == "2027-01-15":
        expected[0] = [plain]  # a date stays the text that it is
    assert repr(items(document)) == repr(expected)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"&a [x, *a]", "bad-yaml"),
        (b"*a", "bad-yaml"),
        (b"!!python/object/apply:os.system [ls]", "bad-yaml"),
        (b"{k: !!python/name:os.system x}", "bad-yaml"),
        (b"!thing {a: 1}", "bad-yaml"),
        (b"!!binary '%%%'", "bad-encoding"),
        (b"!!int word", "bad-yaml"),
        (b"1" * 5000, "bad-yaml"),
        (b"{[a]: 1}", "bad-yaml"),
        (b"[" * 600 + b"]" * 600, "too-deep"),
    ],
    ids=["cycle", "alias", "call", "name", "tag", "base64", "int", "long-int", "key", "deep"],
)
def test_what_is_refused_costs_its_item_only(bad: bytes, reason: str) -> None:
    first, refused, last = items(b"x: &a 1\nitems:\n- 1\n- " + bad + b"\n- {b: [2]}\nend: 1\n")
    assert (first, last) == (1, {"b": [2]})
    assert isinstance(refused, RecordError)
    assert refused.reason == reason


def test_a_bomb_of_aliases_costs_nothing() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 40))
    document = f"l0: &l0 [x]\n{levels}items:\n- 1\n- *l39\n"
    found = items(document.encode())
    assert found[0] == 1
    assert isinstance(found[1], RecordError)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_items, "MAX_RECORD_BYTES", 100)
    monkeypatch.setattr(yaml_items, "_MOST_VALUES", 50)
    large, many, small = items(b"items:\n- {a: '" + b"x" * 200 + b"'}\n- [" + b"1," * 60 + b"]\n- 1\n")
    assert [error.reason for error in (large, many)] == ["record-too-large"] * 2
    assert small == 1
    monkeypatch.setattr(yaml_items, "MAX_DOCUMENT_BYTES", 100_000)
    with pytest.raises(RecordError, match="record-too-large"):
        items(b"items:\n" + b"- 1\n" * 100_000)


@pytest.mark.parametrize("end", [b"- 'open", b"- {a: 1", b"- a: 'x'y\n", b"- \t- \0\n", b"- \xff\n"])
def test_broken_yaml_gives_the_items_before_it(end: bytes) -> None:
    found: list[Any] = []
    document = YamlItems(Feed(io.BytesIO(b"items:\n- secret\n- 2\n" + end)), "items")
    with pytest.raises(RecordError) as caught:
        found.extend(document)
    assert found in ([], ["secret"], ["secret", 2])  # the parser looks a little ahead
    assert caught.value.reason == "bad-yaml"
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    "document", [b"", b"- 1\n", b"5\n", b"other: 1\n", b"items: 5\n", b"[1]: {items: [2]}\n"]
)
def test_documents_without_the_list_have_no_items(document: bytes) -> None:
    assert items(document) == []
