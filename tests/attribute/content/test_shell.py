"""What shell commands touch, and what they say about their folder."""

from __future__ import annotations

import pytest

from cachelens.attribute.content.patch import patched
from cachelens.attribute.content.shell import Moved, shell_command
from cachelens.attribute.content.touch import Edit, Touch


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat a.py", [Touch("read", "a.py")]),
        ("cat -n 'my file.py'", [Touch("read", "my file.py")]),
        ("cat a.py 2>/dev/null", [Touch("read", "a.py")]),
        ("cat a.py b.py", [Touch("read", "a.py"), Touch("read", "b.py")]),
        ("cat a.py && cat b.py", [Touch("read", "a.py"), Touch("read", "b.py")]),
        ("nl -ba a.py | sed -n '10,20p'", [Touch("read", "a.py", 10, 20)]),
        ("sed -n '5p' a.py", [Touch("read", "a.py", 5, 5)]),
        ("sed -n '5,$p' a.py", [Touch("read", "a.py", 5)]),
        ("head a.py", [Touch("read", "a.py", 1, 10)]),
        ("head -20 a.py", [Touch("read", "a.py", 1, 20)]),
        ("head -n 30 a.py | sed -n '10,50p'", [Touch("read", "a.py", 10, 30)]),
        ("tail -n +5 a.py | head -n 3", [Touch("read", "a.py", 5, 7)]),
        ("cd /w && cat a.py", [Touch("read", "/w/a.py")]),
        ("cd sub; cat ./a.py", [Touch("read", "sub/./a.py")]),
        ("sed -i 's/a/b/' a.py", [Touch("edit", "a.py")]),
        ("sed -i 's/a/b/' a.py && cat a.py", [Touch("edit", "a.py"), Touch("read", "a.py")]),
        ("rm -f a.py", [Touch("write", "a.py")]),
        ("echo done > a.txt", [Touch("write", "a.txt")]),
        ("echo done >> a.txt", [Touch("edit", "a.txt")]),
        ("cat > a.py <<'EOF'\nx = 1\nEOF", [Touch("write", "a.py")]),
        ("cat <<EOF > a.py\nx = 1\nEOF\n", [Touch("write", "a.py")]),
        ("cat >> a.py <<'EOF'\nx = 1\nEOF", [Touch("edit", "a.py")]),
        ("tee a.py <<'EOF'\nx = 1\nEOF", [Touch("write", "a.py")]),
        (
            "cat > a.py <<'A'\nx\nA\ncat > b.py <<'B'\ny\nB",
            [Touch("write", "a.py"), Touch("write", "b.py")],
        ),
        ("cat > a.py <<'EOF'\nx\nEOF\ncat a.py", [Touch("write", "a.py"), Touch("read", "a.py")]),
        (
            "apply_patch <<'EOF'\n*** Begin Patch\n*** Delete File: a.py\n*** End Patch\nEOF",
            [Touch("write", "a.py")],
        ),
        # What is in doubt:
        ("cat a.py | grep x", []),
        ("cat *.py", []),
        ("cat $FILE", []),
        ("cat a.py > b.py", []),
        ("cat `ls`", []),
        ("head -c 100 a.py", []),
        ("tail -n 5 a.py", []),
        ("sed -n '/x/p' a.py", []),
        ("sed 's/a/b/' a.py", []),
        ("git status; cat a.py", []),
        ("pytest && cat a.py", []),
        ("cat a.py & cat b.py", []),
        ("cat a.py && cd x && cat b.py", []),
        ("cat a.py || true", []),
        ("cat 'a.py", []),
        ("cat > a.py <<'EOF'\nnever ends", []),
        ("python - <<'EOF'\nopen('a.py').read()\nEOF", []),
        ("", []),
    ],
)
def test_touches(command: str, expected: list[Touch]) -> None:
    assert list(shell_command(command)[0]) == expected


@pytest.mark.parametrize(
    ("command", "moved"),
    [
        ("ls", Moved()),
        ("cd /w && ls", Moved("/w")),
        ("cd 'my dir'; ls", Moved("my dir")),
        ("cd sub", Moved(None, True)),
        ("ls && cd sub", Moved(None, True)),
        ("(cd sub && ls)", Moved(None, True)),
        ("pushd x", Moved(None, True)),
        ("echo abcd efg", Moved()),
        ("cat > a.md <<'EOF'\nfirst cd sub\nEOF", Moved()),
    ],
)
def test_where_it_goes(command: str, moved: Moved) -> None:
    assert shell_command(command)[1] == moved


def test_a_patch_has_an_edit_for_every_hunk() -> None:
    patch = (
        "*** Begin Patch\n*** Update File: a.py\n@@ def f\n one\n-two\n+2\n three\n@@\n-nine\n"
        "*** Update File: b.py\n*** Move to: c.py\n@@\n+only new\n*** Add File: d.py\n+x\n*** End Patch"
    )
    assert patched(patch) == (
        Touch("edit", "a.py", edits=(Edit("one\ntwo\nthree", "one\n2\nthree"), Edit("nine", ""))),
        Touch("write", "c.py"),
        Touch("edit", "b.py", edits=None),
        Touch("write", "d.py"),
    )
    assert patched("no patch") == ()
