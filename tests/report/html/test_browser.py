"""The page in a real browser: silent, without a request, usable by keyboard, on a telephone and without a script.

Skipped where playwright (extra `browser`) or a Chromium is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cachelens.report.html.comparison import comparison_page
from cachelens.report.html.page import page
from tests.report import builders
from tests.report.html.documents import analyzed, compared, many, spoiled
from tests.report.html.test_hostility import HOSTILE

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `browser`)")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium in the path")

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Visit:
    """A page that was opened, and everything it did that it should not."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.noise: list[str] = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.noise.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.noise.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self._asked(request.url, file))
        self.page.goto(file.as_uri())

    def _asked(self, url: str, file: Path) -> None:
        if url != file.as_uri() and not url.startswith("data:"):
            self.noise.append(f"request: {url[:200]}")

    def run(self, script: str) -> Any:
        """What an expression comes to in the page; the page's policy does not hold for it."""
        return self.page.evaluate(script)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield made
        made.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    sample = analyzed("pruned-history.jsonl.zst", show_text=True)
    results = {
        "short": sample,
        "long": many(2_000, sessions=130),
        "plain": builders.wasteful(),
        "hostile": spoiled(sample, "".join(text for name, text in HOSTILE.items() if name != "long")),
        "hostile data": spoiled(many(500), HOSTILE["end of script"] + HOSTILE["markup"]),
    }
    pages = {name: page(result) for name, result in results.items()}
    pages["comparison"] = comparison_page(compared())
    found = {name: folder / f"{name.replace(' ', '-')}.html" for name in pages}
    for name, file in found.items():
        file.write_bytes(pages[name])
    return found


@pytest.fixture
def visit(browser: Any, files: dict[str, Path]) -> Iterator[Any]:
    visits: list[Visit] = []

    def go(name: str, **options: Any) -> Visit:
        visits.append(Visit(browser, files[name], **options))
        return visits[-1]

    yield go
    for one in visits:
        assert one.noise == []
        one.context.close()


NAMES = ("short", "long", "plain", "hostile", "hostile data", "comparison")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_silent_and_runs_nothing_of_the_trace(visit: Any, name: str) -> None:
    seen = visit(name)
    seen.run("document.querySelectorAll('details').forEach(at => at.open = true)")
    seen.page.wait_for_timeout(100)
    assert seen.run("document.scripts.length") == (2 if name in ("long", "hostile data") else 1)
    assert seen.run("getComputedStyle(document.body).display") == "block"
    assert seen.run("document.querySelectorAll('img, iframe, object, embed').length") == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(visit: Any, name: str, width: int) -> None:
    seen = visit(name, viewport={"width": width, "height": 800})
    seen.run("document.querySelectorAll('details').forEach(at => at.open = true)")
    seen.page.wait_for_timeout(100)
    assert seen.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_button_is_pressed(visit: Any, scheme: str) -> None:
    seen = visit("short", color_scheme=scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    colors = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    other = {"light": "dark", "dark": "light"}[scheme]
    assert seen.run(paper) == colors[scheme]
    button = seen.page.get_by_role("button", name=f"{other.title()} theme")
    button.press("Enter")
    assert seen.run(paper) == colors[other]
    seen.page.get_by_role("button", name=f"{scheme.title()} theme").click()
    assert seen.run(paper) == colors[scheme]
    text = seen.page.locator(".canvas text").first
    inks = set()
    for _ in range(2):
        inks.add(text.evaluate("at => getComputedStyle(at).fill"))
        seen.page.locator("#theme").click()
    assert len(inks) == 2


def test_the_colors_of_pictures_are_found(visit: Any) -> None:
    seen = visit("short")
    lost = seen.run(
        '[...document.querySelectorAll(\'svg [fill^="var"], svg [stroke^="var"]\')].filter(at =>'
        " ['fill', 'stroke'].some(key => (at.getAttribute(key) || '').startsWith('var') &&"
        " !/^rgb/.test(getComputedStyle(at)[key]))).length"
    )
    assert lost == 0
    assert seen.run("document.querySelectorAll('svg [fill^=\"var\"]').length") > 20


def test_a_session_opens_by_keyboard_and_shows_its_requests(visit: Any) -> None:
    seen = visit("long")
    assert seen.page.locator("#request-10").count() == 0
    first = seen.page.locator("details.session > summary").first
    first.focus()
    seen.page.keyboard.press("Enter")
    rows = seen.page.locator("details.session[open] tbody tr:not(.lineage)")
    rows.first.wait_for()
    result = many(2_000, sessions=130)
    shown = rows.first.locator("th, td").all_inner_texts()
    row = next(row for row in result.requests if row.request_id == shown[0])
    again = row.prompt_tokens - row.outcomes["hit"] - row.outcomes["fresh"]
    assert shown[2:6] == [
        f"{row.prompt_tokens:,}",
        seen.run(f"share({row.outcomes['hit']}, {row.prompt_tokens})"),
        f"{again:,}",
        f"{row.reported_cached_tokens:,}",
    ]
    assert rows.count() == sum(other.session_id == row.session_id for other in result.requests)
    first.press("Enter")
    first.press("Enter")
    assert rows.count() == sum(other.session_id == row.session_id for other in result.requests)


def test_more_sessions_are_shown_when_asked(visit: Any) -> None:
    seen = visit("long")
    assert seen.page.locator("details.session").count() == 100
    seen.page.get_by_role("button", name="Show more sessions").press("Enter")
    assert seen.page.locator("details.session").count() == 130
    assert seen.page.locator("#more-sessions").count() == 0
    last = seen.page.locator("details.session > summary").last
    last.press("Enter")
    seen.page.locator("details.session[open] tbody tr.lineage").first.wait_for()
    assert seen.page.locator("details.session[open] tbody tr").count() > 10


def test_what_the_page_does_not_hold_is_named(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cachelens.report.html.sessions._EMBEDDED", 300)
    file = tmp_path / "cut.html"
    file.write_bytes(page(many(500, sessions=2)))
    seen = Visit(browser, file)
    last = seen.page.locator("details.session").nth(1)
    last.locator("summary").press("Enter")
    last.locator("p.more").wait_for()
    assert last.locator("p.more").inner_text().startswith("200 more requests")
    assert last.locator("tbody tr:not(.lineage)").count() == 50
    assert seen.noise == []
    seen.context.close()


def test_figures_of_the_script_are_those_of_the_program(visit: Any) -> None:
    from cachelens.report.units import exact, share

    seen = visit("long")
    for part, whole in (
        (0, 0),
        (0, 5),
        (5, 5),
        (1, 9_999),
        (9_998, 9_999),
        (1, 3),
        (2, 3),
        (125, 1000),
        (1, 2000),
    ):
        assert seen.run(f"share({part}, {whole})") == share(part, whole)
    for number in (0, 7, 999, 1_000, 12_345_678):
        assert seen.run(f"exact({number})") == exact(number)


def test_a_link_opens_what_it_leads_to(visit: Any) -> None:
    seen = visit("short")
    link = seen.page.locator(".finding .rule a").first
    target = str(link.get_attribute("href"))
    assert not seen.run(f"document.querySelector('{target}').open")
    link.press("Enter")
    seen.page.locator(f"{target}[open]").wait_for()
    seen.page.locator(".finding dd a[href^='#view-']").first.press("Enter")
    seen.page.locator(".closeup[open]").wait_for()


def test_the_first_key_offers_to_skip_the_contents(visit: Any) -> None:
    seen = visit("short")
    seen.page.keyboard.press("Tab")
    assert seen.run("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    assert seen.run("document.activeElement.id") == "main"


def test_everything_that_is_operated_has_a_name(visit: Any) -> None:
    seen = visit("short")
    nameless = seen.run(
        "[...document.querySelectorAll('a, button, summary, [role=region], [role=img], nav')].filter(at =>"
        " !(at.getAttribute('aria-label') || at.getAttribute('aria-labelledby') || at.textContent.trim()))"
        ".map(at => at.outerHTML.slice(0, 200))"
    )
    assert nameless == []
    assert seen.run("[...document.querySelectorAll('table')].filter(at => !at.caption).length") == 0
    assert seen.run("[...document.querySelectorAll('thead th')].filter(at => !at.scope).length") == 0
    levels = seen.run(
        "[...document.querySelectorAll('main h2, main h3, main h4, main h5')].map(at => +at.tagName[1])"
    )
    assert all(after <= before + 1 for before, after in zip([1, *levels], levels, strict=False))


def test_without_a_script_all_that_stands_in_the_page_can_be_read(visit: Any) -> None:
    seen = visit("short", java_script_enabled=False)
    result = analyzed("pruned-history.jsonl.zst", show_text=True)
    assert seen.page.locator("#theme").is_hidden()
    text = seen.page.locator("#summary").inner_text()
    assert f"{result.totals.prompt_tokens:,} sent" in text
    summary = seen.page.locator("details.session > summary").first
    summary.click()
    summary.click()
    assert seen.page.locator("#request-1").is_visible()


def test_on_paper_evidence_is_open_and_the_contents_are_gone(visit: Any) -> None:
    seen = visit("short", color_scheme="dark")
    seen.page.emulate_media(media="print", color_scheme="dark")
    assert seen.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.page.locator("nav.toc").is_hidden()
    seen.run("dispatchEvent(new Event('beforeprint'))")
    assert seen.run("document.querySelectorAll('details.evidence:not([open])').length") == 0
    seen.run("dispatchEvent(new Event('afterprint'))")
    assert seen.run("document.querySelectorAll('details.evidence[open]').length") == 0
    assert seen.page.pdf(format="A4").startswith(b"%PDF")


def test_a_page_without_pictures_works(browser: Any, tmp_path: Path) -> None:
    bare = msgspec.structs.replace(analyzed("pruned-history.jsonl.zst"), pictures=None)
    file = tmp_path / "bare.html"
    file.write_bytes(page(bare))
    seen = Visit(browser, file)
    assert seen.noise == []
    assert seen.page.locator("#closeups").inner_text().count("cachelens analyze TRACE")
    seen.context.close()
