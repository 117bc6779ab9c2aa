"""Facts on a path say the same as a look at each prompt alone: an oracle without trie, undo or arrays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cachelens.attribute.content import LabelOptions
from cachelens.model.kinds import KINDS, LABEL_CODE, LABELS

from .sessions import FRAME, Session, characters

OPTIONS = LabelOptions(
    min_duplicate_tokens=30, min_echo_tokens=30, unreferenced_steps=2, min_rare_identifiers=1
)

#: Files of five lines; a version is a letter. Versions share no line, lines of one version no shingle.
FILES = ("a.py", "b.py")
VERSIONS = ("north", "south")


def shown(version: str, first: int = 1, last: int = 5) -> str:
    """Lines of a version as a tool shows them."""
    words = {number: f"{version}{number}{chr(96 + number) * 9}" for number in range(1, 6)}
    return "\n".join(f"{number}\t{words[number]}" for number in range(first, last + 1))


@dataclass(frozen=True)
class Segment:
    """One piece of a prompt, as the oracle sees it."""

    kind: str
    text: str
    name: str | None = None
    call_id: str | None = None


@dataclass
class Oracle:
    """Labels of one prompt by definition: `labels[i]` are (token, label) of segment i."""

    prompt: list[Segment]
    labels: list[set[tuple[int, str]]] = field(default_factory=list)

    def run(self) -> list[set[tuple[int, str]]]:
        self.labels = [set() for _ in self.prompt]
        answers: dict[int, int] = {}
        read: dict[str, list[tuple[int, set[int]]]] = {path: [] for path in FILES}
        written: dict[str, list[int]] = {path: [] for path in FILES}
        for at, segment in enumerate(self.prompt):
            copy_of = self._copy(at)
            if segment.kind != "tool_result":
                continue
            call = max(
                (
                    i
                    for i in range(at)
                    if self.prompt[i].kind == "tool_call" and self.prompt[i].call_id == segment.call_id
                ),
                default=None,
            )
            if call is None:
                continue
            answers[at] = call
            arguments = json.loads(self.prompt[call].text.partition("\n")[2])
            self._same_call(at, call, arguments, answers, copy_of)
            self._file(at, call, arguments, read, written, copy_of)
        for at in answers:
            self._echo(at)
        return self.labels

    def _mark(self, at: int, label: str, tokens: set[int] | None = None) -> None:
        frame = 0 if self.prompt[at].kind == "tool_call" else FRAME
        whole = set(range(frame, frame + len(self.prompt[at].text)))
        self.labels[at] |= {
            (token, label) for token in (whole if tokens is None else {t + frame for t in tokens})
        }

    def _copy(self, at: int) -> int | None:
        segment = self.prompt[at]
        if len(segment.text) < OPTIONS.min_duplicate_tokens:
            return None
        for i in range(at):
            if self.prompt[i].text == segment.text and not self._stale(i):
                if segment.kind in ("user", "tool_result", "system"):
                    self._mark(at, "dup_exact")
                    return i
                return None
        return None

    def _stale(self, at: int) -> bool:
        labels = {label for _, label in self.labels[at]}
        if labels & {"dup_exact", "dup_call", "superseded_write"}:
            return True
        tokens = {token for token, label in self.labels[at] if label == "superseded_read"}
        return len(tokens) == len(self.prompt[at].text) > 0

    def _same_call(
        self, at: int, call: int, arguments: dict[str, object], answers: dict[int, int], copy_of: int | None
    ) -> None:
        name = self.prompt[call].name
        for earlier, other in list(answers.items()):
            same = (
                self.prompt[other].name == name
                and json.loads(self.prompt[other].text.partition("\n")[2]) == arguments
            )
            if not same or other == call:
                continue
            identical = copy_of is not None and self.prompt[earlier].text == self.prompt[at].text
            first_time = (FRAME, "dup_call") not in self.labels[earlier]
            failed = (
                "no such file" in self.prompt[at].text and "no such file" not in self.prompt[earlier].text
            )
            if not identical and first_time and not failed:
                self._mark(earlier, "dup_call")
            if name == "bash" and "exit code 1" in self.prompt[earlier].text:
                rerun = (0, "failed_rerun") not in self.labels[other]
                if not identical and (FRAME, "failed_rerun") not in self.labels[earlier]:
                    self._mark(earlier, "failed_rerun")
                if rerun:
                    self._mark(other, "failed_rerun")

    def _file(
        self,
        at: int,
        call: int,
        arguments: dict[str, object],
        read: dict[str, list[tuple[int, set[int]]]],
        written: dict[str, list[int]],
        copy_of: int | None,
    ) -> None:
        path = arguments.get("file_path")
        if path not in read:
            return
        text = self.prompt[at].text
        if "no such file" in text:
            return
        if self.prompt[call].name == "write":
            for earlier, left in read[path]:
                self._lines(earlier, left)
            for earlier in written[path]:
                self._mark(earlier, "superseded_write")
                self._mark(earlier - 1, "superseded_write")
            read[path], written[path] = [], [at]
            return
        numbers = {int(line.split("\t")[0]) for line in text.split("\n")}
        whole = "offset" not in arguments
        kept: list[tuple[int, set[int]]] = []
        copied = False
        for earlier, left in read[path]:
            if copy_of is not None and self.prompt[earlier].text == text:
                kept.append((earlier, left))
                copied = True
                continue
            # A part that reads differently shows that the file changed, and perhaps its line numbers.
            changed = any(
                version in text and version not in self.prompt[earlier].text for version in VERSIONS
            )
            again = left if whole else set() if changed else left & numbers
            self._lines(earlier, again)
            if left - again:
                kept.append((earlier, left - again))
        if whole:
            for earlier in written[path]:
                self._mark(earlier, "superseded_write")
                self._mark(earlier - 1, "superseded_write")
            written[path] = []
        read[path] = kept if copied else [*kept, (at, numbers)]

    def _lines(self, at: int, numbers: set[int]) -> None:
        start = 0
        for line in self.prompt[at].text.split("\n"):
            if int(line.split("\t")[0]) in numbers:
                end = min(start + len(line) + 1, len(self.prompt[at].text))
                self._mark(at, "superseded_read", set(range(start, end)))
            start += len(line) + 1

    def _echo(self, at: int) -> None:
        text, size = self.prompt[at].text, OPTIONS.shingle
        if len(text) < OPTIONS.min_echo_tokens or any(label == "dup_exact" for _, label in self.labels[at]):
            return
        # What is superfluous when the result arrives: the labels of the prompt up to it.
        before = Oracle(self.prompt[: at + 1]).labels_only() if at + 1 < len(self.prompt) else self.labels
        alive: set[str] = set()
        for i in range(at):
            segment = self.prompt[i]
            frame = 0 if segment.kind == "tool_call" else FRAME
            gone = {token - frame for token, label in before[i] if label not in ("echo", "unreferenced")}
            for start in range(len(segment.text) - size + 1):
                if not gone & set(range(start, start + size)):
                    alive.add(segment.text[start : start + size])
        own = [text[start : start + size] for start in range(len(text) - size + 1)]
        if sum(shingle in alive for shingle in own) >= OPTIONS.echo_share * len(own):
            self._mark(at, "echo")

    def labels_only(self) -> list[set[tuple[int, str]]]:
        """The labels but for echoes."""
        self._echo = lambda at: None  # type: ignore[method-assign]
        return self.run()


Step = Callable[[Session], None]


def _tool(tool: str, answer: str, **arguments: object) -> Step:
    return lambda session: session.step(tool, answer, **arguments) and None


def _repeated(kind: str, text: str) -> Step:
    return lambda session: session.add(kind, text) and None


def _parallel(session: Session) -> None:
    """Two calls, answered in the other order."""
    session.assistant("Both.")
    session.call("read", call_id=f"left-{session.at}", file_path="a.py")
    session.call("grep", call_id=f"right-{session.at - 1}", pattern="x")
    session.result("hits: none at all", call_id=f"right-{session.at - 2}")
    session.result(shown("north"), call_id=f"left-{session.at - 3}")


STEPS: tuple[Step, ...] = (
    *(_tool("read", shown(version), file_path=path) for path in FILES for version in VERSIONS),
    *(
        _tool("read", shown("north", first, last), file_path="a.py", offset=first, limit=last - first + 1)
        for first, last in ((1, 2), (2, 4), (4, 5))
    ),
    _tool("read", "Error: no such file", file_path="a.py"),
    *(_tool("write", "ok", file_path="a.py", content=version) for version in VERSIONS),
    _tool("write", "ok, and thirty characters more of it", file_path="b.py", content="west"),
    _tool("bash", "make: nothing to be done here at all\n[exit code 0]", command="make"),
    _tool("bash", "make: *** something is wrong in it\n[exit code 1]", command="make"),
    _tool("bash", "no\n[exit code 1]", command="test"),
    _tool("grep", "three hits in two files, and one more", pattern="x"),
    _tool("grep", "three hits in two files, and one more!", pattern="x"),
    _tool("grep", "hits", pattern="y"),
    _repeated("user", shown("south")),
    _repeated("user", "Please go on with it as you like, my dear."),
    _repeated("assistant", "three hits in two files, and one more"),
    _parallel,
)
FORK = -1


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Sessions with branches: steps, now and then a request and a step back to where one ended."""
    session = Session()
    session.system("Be brief.")
    places = [session.at]
    for step in draw(st.lists(st.integers(FORK, len(STEPS) - 1), min_size=1, max_size=14)):
        if step == FORK:
            session.request()
            session.at = draw(st.sampled_from(places))
        else:
            STEPS[step](session)
            places.append(session.at)
    session.request()
    return session


def _copied_back() -> Session:
    """The first of three equal texts is outdated when the third comes; the second, of the assistant, still stands."""
    session = Session()
    session.system("Be brief.")
    text = "three hits in two files, and one more"
    for step in (
        _tool("grep", text, pattern="x"),
        _repeated("assistant", text),
        _tool("grep", text + "!", pattern="x"),
        _tool("grep", text, pattern="x"),
    ):
        step(session)
    session.request()
    return session


@settings(max_examples=300, deadline=None)
@given(sessions())
@example(_copied_back())
def test_the_labels_of_every_prompt_are_those_it_has_by_itself(session: Session) -> None:
    found = session.facts(OPTIONS)
    trace, labels, text = found.trace, found.labels, found.texts
    segments = trace.segments
    for last in trace.last_segment.tolist():
        path = segments.path(last).tolist()
        place = {row: at for at, row in enumerate(path)}
        by_facts: list[set[tuple[int, str]]] = [set() for _ in path]
        for row, lo, hi, code, since in zip(
            labels.row.tolist(),
            labels.lo.tolist(),
            labels.hi.tolist(),
            labels.label.tolist(),
            labels.since.tolist(),
            strict=True,
        ):
            if since in place and LABELS[code] != "unreferenced":
                by_facts[place[row]] |= {(token, LABELS[code]) for token in range(lo, hi)}
        prompt = [
            Segment(
                KINDS[segments.kind[row]],
                text(int(segments.content[row])) or "",
                *(
                    segments.strings[n] if n >= 0 else None
                    for n in (segments.name[row], segments.call_id[row])
                ),
            )
            for row in path
        ]
        assert by_facts == Oracle(prompt).run()


@given(sessions())
def test_facts_are_about_rows_of_the_path_and_their_text(session: Session) -> None:
    found = session.facts(OPTIONS)
    labels, segments, contents = found.labels, found.trace.segments, found.trace.contents
    for row, lo, hi, code, since, cause in zip(
        labels.row.tolist(),
        labels.lo.tolist(),
        labels.hi.tolist(),
        labels.label.tolist(),
        labels.since.tolist(),
        labels.cause.tolist(),
        strict=True,
    ):
        content = segments.content[row]
        assert contents.framing[content] <= lo < hi <= contents.tokens[content]
        assert row in segments.path(since)
        assert cause in segments.path(since) if cause >= 0 else code == LABEL_CODE["unreferenced"]
        assert row != cause


WORDS = ("ab_cd", "ef_gh", "4711", "x.py", "kilometre", "Kilometre", "dog", "lion")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("result", "assistant", "user", "request", "rewrite", "lineage")),
            st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
        ),
        max_size=20,
    )
)
def test_density_is_what_a_reading_of_the_lineages_gives(steps: list[tuple[str, list[str]]]) -> None:
    session = Session()
    session.system("-" * 9)
    lineage = 0
    for number, (kind, words) in enumerate(steps):
        if kind == "result":
            session.step("ping", " ".join(words) + " " + chr(200 + number) * 70, say="-", n=session.at)
        elif kind == "assistant":
            session.assistant(" ".join(words))
        elif kind == "user":
            session.user(" ".join(words) + ".")
        else:
            session.request(f"lineage {lineage}")
            if kind == "rewrite":
                session.at = 0
                session.user(chr(700 + number) * 9)
            if kind == "lineage":
                lineage += 1
    session.request(f"lineage {lineage}")
    found = session.facts(OPTIONS)
    assert dict(found.density) == _densities(session, found.trace)


def _identifiers(text: str) -> set[str]:
    words = set(re.findall(r"[A-Za-z0-9_]+", text)) | set(re.findall(r"\bx\.py\b", text))
    return {word for word in words if word in {"ab_cd", "ef_gh", "4711", "x.py", "kilometre", "Kilometre"}}


def _densities(session: Session, trace: object) -> dict[int, tuple[int, int]]:
    segments, contents = trace.segments, trace.contents  # type: ignore[attr-defined]
    text = [
        characters(contents.token_ids(content)[int(contents.framing[content]) :].tolist())
        for content in range(len(contents))
    ]
    authored = [KINDS[kind] in ("assistant", "tool_call") for kind in contents.kind.tolist()]
    first = {content: text.index(text[content]) for content in range(len(text))}
    rare: dict[int, set[str]] = {}
    seen: dict[str, set[int]] = {}
    for content in range(len(text)):
        if not authored[content] and first[content] == content:
            for word in _identifiers(text[content]):
                seen.setdefault(word, set()).add(content)
                if len(seen[word]) <= OPTIONS.rare_segments:
                    rare.setdefault(content, set()).add(word)
    by_lineage: dict[str, list[int]] = {}
    for lineage, last in zip(trace.requests["lineage_id"], trace.last_output.tolist(), strict=True):  # type: ignore[attr-defined]
        by_lineage.setdefault(lineage, []).append(last)
    used: dict[int, int] = {}
    for ends in by_lineage.values():
        order: list[tuple[int, int]] = []
        key_of: dict[int, tuple[int, int]] = {}
        for last in ends:
            path = segments.path(last).tolist()
            copies: dict[int, int] = {}
            for row in path:
                content = int(segments.content[row])
                copies[content] = copies.get(content, 0) + 1
                key_of[row] = content, copies[content]
                if key_of[row] not in order:
                    order.append(key_of[row])
        for row, key in key_of.items():
            words = rare.get(first[key[0]], set())
            if KINDS[segments.kind[row]] == "tool_result" and words and len(text[key[0]]) >= 64:
                later = order[order.index(key) + 1 :]
                named = {w for content, _ in later if authored[content] for w in _identifiers(text[content])}
                used[row] = max(used.get(row, 0), len(words & named))
    return {row: (count, len(rare[first[int(segments.content[row])]])) for row, count in used.items()}
