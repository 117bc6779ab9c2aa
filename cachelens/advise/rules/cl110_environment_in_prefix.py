"""A description of the environment early in the prompt has changed.

What it detects
    Lines of a system or user segment that describe the machine or the project: working directory, git status and
    branch, directory tree, list of files, open files, repository map, platform. They are recognized by tags
    (`<env>`, `<environment_context>`), headings (`gitStatus:`, `# Directory structure`, `Working directory:`) and
    by themselves (tree-drawing characters, lists of paths). Every changed line must be such a one, and something
    of the earlier request must stand behind the segment.

Why it costs
    The agent itself changes what is described: it writes a file, runs tests that leave a cache folder, commits.
    The description is then made anew, at resume or with every request, and everything behind it is computed
    again. In one session two lines more in a directory tree of 20 (the folder that pytest leaves) made a resumed
    request compute 15,013 tokens again.

How it is measured
    Tokens computed again in requests whose first change is this one. The remedy is replayed: the description stays as
    it was first sent, and the new lines are sent behind everything that was sent before.

How to fix
    Describe the environment once per session, and send what has changed with the latest message; or leave it out,
    agents can list files themselves. Gemini CLI: `context.includeDirectoryTree: false` in settings.json. aider:
    `--map-tokens 0`, or `--map-refresh manual`. At resume send the description that was sent before.

Example
    A first user message lists the project as a tree. The agent adds `tests/test_dates.py`; the session is resumed, the
    tree is made again with one line more, and all 60 messages behind it are computed again.

When to ignore
    A session that is resumed once, long after, when nothing of it is cached anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.components import component
from cachelens.advise.rules.environment import environment_of
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit

_KINDS = ("changed", "inserted", "removed")


class EnvironmentInPrefix(EditRule):
    """CL110."""

    code = "CL110"
    name = "environment-in-prefix"
    precedence = 60

    def claim(self, view: View) -> Claim | None:
        """A change of nothing but lines about the environment, in front of something sent before."""
        edit = view.edit
        if edit.kind not in _KINDS or edit.in_reply or view.kind not in ("system", "user"):
            return None
        if not _early(view):
            return None
        what = environment_of(view.before, view.now)
        return None if what is None else Claim((view.kind, what))

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding per kind of description and kind of segment."""
        kind, what = claims[0].key
        requests = count(len({edit.request for edit in edits if case.costly(edit)}), "request")
        return finding(
            case,
            edits,
            claims,
            title=f"the {what} in {component(kind)} changes in {requests}",
            fix="describe it once per session, and send what has changed with the latest message",
            details={"what": what},
        )


def _early(view: View) -> bool:
    """Whether something of the earlier prompt, and not only the reply to it, stands behind the edit."""
    edit = view.edit
    pair = view.case.past.pairs[edit.request]
    if edit.before_at >= 0:
        return edit.before_at < pair.reply_at - 1
    return any(match.now > edit.now_at and match.before < pair.reply_at for match in pair.found)
