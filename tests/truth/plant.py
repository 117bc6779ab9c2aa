"""Causes of waste, each planted at known requests of a story. Out: `Cause`s, by name in `CAUSES`.

What a cause costs follows from what it does to the pieces of prompts (`tests.truth.story`); nothing here knows how
the analysis finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.advise.sessions import tool, words
from tests.truth.story import LENGTH, Cause, Message, Step, Story, step_of


def _outputs(story: Story) -> list[Message]:
    return [message for message in story.messages if message["role"] == "tool"]


def _head(story: Story) -> Message:
    return story.find("system")


@dataclass
class Never(Cause):
    """The cause that is prepared, and does not come: its sessions are the clean twins of those that have it."""

    cause: Cause

    def start(self, story: Story) -> None:
        self.cause.start(story)


@dataclass
class Clock(Cause):
    """A clock in the first line of the system prompt, which is read at the requests `at`."""

    at: tuple[int, ...] = (3, 7)
    code = "CL101"
    silent = False
    text: str = ""

    def start(self, story: Story) -> None:
        self.text = _head(story)["content"]
        self._set(story, 0)

    def before(self, story: Story, number: int) -> None:
        if number in self.at:
            self._set(story, number)

    def _set(self, story: Story, number: int) -> None:
        clock = f"The time is 2027-01-15T08:{10 + number}:{20 + number}Z."
        _head(story)["content"] = f"{clock}\n{self.text}"


@dataclass
class Nonce(Cause):
    """The billing line of Claude Code, whose hash is another one at the requests `at`."""

    at: tuple[int, ...] = (2, 3, 6)
    code = "CL102"
    silent = True

    def start(self, story: Story) -> None:
        head = _head(story)
        line = {"type": "text", "text": "", "slot": "nonce"}
        head["content"] = [line, {"type": "text", "text": head["content"], "slot": "0"}]
        self._set(story, 0)

    def before(self, story: Story, number: int) -> None:
        if number in self.at:
            self._set(story, number)

    def _set(self, story: Story, number: int) -> None:
        nonce = f"{(number + 3) * 0x9E37 & 0xFFFFF:05x}"
        line = f"x-anthropic-billing-header: cc_version=2.1.3.abc; cc_entrypoint=cli; cch={nonce};"
        _head(story)["content"][0]["text"] = line


@dataclass
class Reorder(Cause):
    """The first tool goes to the end of the list at request `at`, and stays there."""

    at: int = 4
    code = "CL103"
    silent = True

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            story.tools.append(story.tools.pop(0))


@dataclass
class Description(Cause):
    """The description of the second tool says something else from request `at` on."""

    at: int = 6
    code = "CL104"
    silent = False

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            given = next(one for one in story.tools if one["function"]["name"] == "bash")
            given["function"]["description"] = "Runs a command of the project, with all that it prints."


@dataclass
class NewTool(Cause):
    """A tool comes at request `at`, in front of the last one, and is gone two requests later."""

    at: int = 5
    code = "CL105"
    silent = False

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            story.tools.insert(-1, tool("extra_tool", words("extra", 30), query="string"))
        if number == self.at + 2:
            story.tools = [one for one in story.tools if one["function"]["name"] != "extra_tool"]


@dataclass
class Pruned(Cause):
    """Before request `at` the output of the first tool call is cleared; its stub says nothing new."""

    at: int = 7
    code = "CL107"
    silent = True

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            _outputs(story)[0]["content"] = "[Old tool result content cleared]"


@dataclass
class Window(Cause):
    """From request `at` on the first turn of the user, and the step that followed it, are not sent any more."""

    at: int = 8
    code = "CL108"
    silent = False

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            del story.messages[1:4]


@dataclass
class Compacted(Cause):
    """Before request `at` the steps of the first turn are replaced by a summary."""

    at: int = 7
    code = "CL109"
    silent = False

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            summary = {
                "role": "user",
                "content": "This is a summary of what was done:\n" + words("summary", 25),
            }
            second = next(at for at, one in enumerate(story.messages) if at > 1 and one["role"] == "user")
            story.messages[2:second] = [Message(summary, "summary")]


@dataclass
class Directory(Cause):
    """A block about the environment in the system prompt, whose listing grows at the requests `at`."""

    at: tuple[int, ...] = (4, 8)
    code = "CL110"
    silent = False

    def start(self, story: Story) -> None:
        self._text = _head(story)["content"]
        self._files = ["src/main.py", "src/parse.py", "tests/test_main.py"]
        self._set(story)

    def before(self, story: Story, number: int) -> None:
        if number in self.at:
            self._files.append(f"src/module_{number}.py")
            self._set(story)

    def _set(self, story: Story) -> None:
        status = "\n".join(f" M {name}" for name in self._files)
        block = f"<env>\nWorking directory: /home/dev/project\ngit status:\n{status}\n</env>"
        _head(story)["content"] = f"{block}\n{self._text}"


@dataclass
class Forgotten(Cause):
    """Thinking of the first turn is left out once the second one begins."""

    code = "CL111"
    silent = False

    def before(self, story: Story, number: int) -> None:
        if number == LENGTH // 2:
            for message in story.messages:
                message.pop("reasoning_content", None)


@dataclass
class Unfaithful(Cause):
    """The reply to request `at` is sent back with a remark in front of its text."""

    at: int = 6
    code = "CL112"
    silent = True

    def echoed(self, story: Story, number: int, reply: Message) -> None:
        if number == self.at:
            reply["content"] = f"(step {number} of the plan) {reply['content']}"


@dataclass
class Respelled(Cause):
    """Before request `at` the task of the user loses its line feeds."""

    at: int = 5
    code = "CL113"
    silent = True

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            task = story.find("m1")
            task["content"] = " ".join(task["content"].split())


@dataclass
class SameOutput(Cause):
    """The tool call of request `at` answers, to another question, what that of request `of` answered."""

    at: int = 6
    of: int = 0
    code = "CL201"

    def step(self, story: Story, number: int, step: Step) -> Step:
        return step._replace(output=step_of(story.name, self.of).output) if number == self.at else step


@dataclass
class SameCall(Cause):
    """The tool call of request `of` is made again at request `at`, and answers something else."""

    at: int = 6
    of: int = 0
    code = "CL201"

    def step(self, story: Story, number: int, step: Step) -> Step:
        first = step_of(story.name, self.of)
        return first._replace(output=step.output) if number == self.at else step


@dataclass
class Reread(Cause):
    """The file that was read at request `of` is read again at request `at`, unchanged."""

    at: int = 6
    of: int = 2
    code = "CL202"

    def step(self, story: Story, number: int, step: Step) -> Step:
        return step_of(story.name, self.of) if number == self.at else step


@dataclass
class Failed(Cause):
    """The command of request `of` fails, and is run again at request `at`."""

    at: int = 7
    of: int = 1
    code = "CL205"

    def step(self, story: Story, number: int, step: Step) -> Step:
        first = step_of(story.name, self.of)
        if number == self.of:
            return first._replace(output=self.output(story))
        return first._replace(output=step.output) if number == self.at else step

    def output(self, story: Story) -> str:
        """What the command prints when it fails."""
        return step_of(story.name, self.of).output + "\nExit code: 2"


@dataclass
class WriteEcho(Cause):
    """The write of request `at` is answered by the text that was written."""

    at: int = 7
    code = "CL206"

    def step(self, story: Story, number: int, step: Step) -> Step:
        if number != self.at:
            return step
        text = self.output(story)
        return step._replace(name="write_file", arguments={"path": "out/echo.txt", "text": text}, output=text)

    def output(self, story: Story) -> str:
        """What was written, and comes back."""
        return words(f"{story.name} written", 60)


@dataclass
class Oversized(Cause):
    """The command of request `at` prints too much."""

    at: int = 1
    code = "CL203"

    def step(self, story: Story, number: int, step: Step) -> Step:
        return step._replace(output=self.output(story)) if number == self.at else step

    def output(self, story: Story) -> str:
        """What it prints."""
        return words(f"{story.name} long", 1200)


@dataclass
class Unused(Cause):
    """A tool that is defined from the start and never called."""

    code = "CL204"

    def start(self, story: Story) -> None:
        story.tools.append(tool("never_called", words("never", 40), query="string"))


@dataclass
class Unreferenced(Cause):
    """Nobody refers to the output of request `at`, which is full of names."""

    at: int = 1
    code = "CL301"

    def step(self, story: Story, number: int, step: Step) -> Step:
        return step._replace(output=self.output(story), used=False) if number == self.at else step

    def output(self, story: Story) -> str:
        """What nobody refers to."""
        return "\n".join(f"record_{story.name}_{row * 7919 + 10000}" for row in range(60))


def never(name: str) -> Cause:
    """What makes the clean twin of a session with this cause."""
    return Never(CAUSES[name]())


#: Causes that show in what is sent, by name; each made anew for every story.
CAUSES: dict[str, Callable[[], Cause]] = {
    "clock": Clock,
    "nonce": Nonce,
    "reorder": Reorder,
    "description": Description,
    "new tool": NewTool,
    "pruned": Pruned,
    "window": Window,
    "compacted": Compacted,
    "directory": Directory,
    "forgotten": Forgotten,
    "unfaithful": Unfaithful,
    "respelled": Respelled,
}

#: Causes that show in what the tools answer, by name. They break no prefix.
CONTENTS: dict[str, Callable[[], Cause]] = {
    "same output": SameOutput,
    "same call": SameCall,
    "reread": Reread,
    "failed": Failed,
    "write echo": WriteEcho,
    "oversized": Oversized,
    "unused": Unused,
    "unreferenced": Unreferenced,
}

#: Causes that write the system prompt in ways that do not go together.
_HEADS = ("clock", "nonce", "directory")


def possible(names: Iterable[str]) -> bool:
    """Whether one session can have all these causes."""
    return sum(name in _HEADS for name in names) < 2
