"""The web page of a run: nothing from outside, every text escaped, the right words for each kind of run."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from core import report_samples as samples

from etl.report.html import html
from etl.report.model import GuardLine, ObjectCounts, Report

VOID = {"meta", "br", "img", "link", "input", "hr", "path"}
ALL = [samples.night, samples.plan, samples.nothing_to_do, samples.guarded, samples.refused, samples.unavailable]


class Page(HTMLParser):
    """A page taken apart: its tags, its visible text, and whether every tag was closed."""

    def __init__(self, source: str) -> None:
        """Parse it all."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close a tag, which must be the last one opened."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Collect text outside the style sheet."""
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """Return the visible text with blanks run together."""
        return " ".join("".join(self.words).split())


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_the_page_is_well_formed_and_asks_nothing_of_the_network(make: Callable[[], Report]) -> None:
    """Tags are balanced, there is no script, and no attribute or style can fetch anything."""
    source = html(make())
    page = Page(source)
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "use"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on") or name in {"src", "href", "srcset", "action"}}
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style
    assert not re.search(r"url\(|@import|@font-face|https?:", style[1])


def test_the_policy_forbids_everything_but_the_pages_own_style() -> None:
    """The page's own Content-Security-Policy lets nothing load, run or be sent, and comes before the style."""
    page = Page(html(samples.night()))
    policies = [attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


@pytest.mark.parametrize(
    "name", [samples.HOSTILE, '"><script>1</script>', "' onmouseover='x", "{{ 7*7 }}", "</style><script>", "&lt;b&gt;"]
)
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    """A name in a portal, a warning, a reason, a key, a value or an error comes out as the text it is."""
    page = Page(html(samples.named(name)))
    assert "script" not in {tag for tag, _ in page.tags}
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    assert page.text.count(" ".join(name.split())) >= 7


def test_right_to_left_text_is_isolated() -> None:
    """Foreign text stands in its own direction and does not turn the line around it."""
    assert f"<bdi>{samples.HEBREW}</bdi>" in html(samples.night())
    assert "\u202e" not in html(samples.named("a\u202eb"))


def test_values_are_hidden_unless_the_report_shows_them() -> None:
    """Without show_values the sample names rows and columns, says why, and holds no value."""
    hidden, shown = html(samples.plan()), html(samples.night())
    assert "In Progress" in shown
    assert samples.HEBREW in shown
    assert "In Progress" not in hidden
    assert samples.HEBREW not in hidden
    assert "Values are left out here" in hidden
    assert "Status__c, Score__c, Date_Completed__c" in hidden


def test_a_plan_speaks_of_what_is_to_come_and_a_run_of_what_was() -> None:
    """Headline, tiles and the sample's heading follow whether anything was written."""
    plan, run = Page(html(samples.plan())).text, Page(html(samples.night())).text
    assert "A plan, not yet a change" in plan
    assert "Nothing was written to Salesforce." in plan
    assert "228to create" in plan
    assert "What would change" in plan
    assert "228created" in run
    assert "What changed" in run


def test_a_failed_run_shows_its_error_and_what_to_do_next() -> None:
    """The error stands in a box of its own, with the next step."""
    page = Page(html(samples.unavailable()))
    assert "HTTP 503" in page.text
    assert "What to do nextRun again later" in page.text
    assert ("div", {"class": "alert bad", "role": "alert"}) in page.tags
    assert "Object by object" not in page.text


def test_a_tripped_guard_shows_its_remedy_and_its_gauge_is_over_the_mark() -> None:
    """A gauge's needle passes the limit's mark exactly when the value passes the limit."""
    source = html(samples.guarded())
    assert "--allow-deletes 1204332" in source
    gauges = re.findall(
        r'class="(within|tripped|overridden)" style="width:([\d.]+)%"></span><em style="left:([\d.]+)%', source
    )
    assert [state for state, _, _ in gauges] == ["tripped", "tripped", "overridden", "within"]
    assert all((float(fill) > float(mark)) == (state != "within") for state, fill, mark in gauges)
    assert all(0 <= float(number) <= 100 for _, fill, mark in gauges for number in (fill, mark))


def test_zeros_and_huge_counts_are_both_shown() -> None:
    """No rows, a limit of nothing, and ten million rows make a page like any other."""
    report = Report(
        "20261122T010000Z-0000", objects={"Contact": ObjectCounts()}, guards=[GuardLine("max_deletes", 0, 0)]
    )
    assert "no rows" in Page(html(report)).text
    row = samples.guarded()
    assert "10,000,000" in Page(html(row)).text
    assert "limit 500" in Page(html(row)).text


def test_every_picture_has_words() -> None:
    """Each bar and each gauge says in its label what it shows."""
    labels = [attrs.get("aria-label") for tag, attrs in Page(html(samples.night())).tags if attrs.get("role") == "img"]
    assert len(labels) == 8 + 4
    assert "LearnUpon Enrollments: 4 created, 21 updated, 1 deleted, 2,011 unchanged" in labels
    assert "max deletes: 10 against a limit of 500, within" in labels


def _luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2, relative luminance)."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_enough_contrast(scheme: int) -> None:
    """Every colour that text is written in has a contrast of 4.5 to 1 on every ground it stands on (WCAG 2.2 AA)."""
    colors = dict(
        re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", html(samples.night()).split(":root {")[1 + scheme].split("}")[0])
    )
    pairs = [
        (ink, ground)
        for ink in ("ink", "soft", "create", "update", "delete", "good", "note", "bad")
        for ground in ("paper", "card")
    ]
    pairs += [(tone, f"{tone}-wash") for tone in ("good", "note", "bad")]
    for ink, ground in pairs:
        light, dark = sorted((_luminance(colors[ink]), _luminance(colors[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
