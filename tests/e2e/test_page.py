"""The page itself: language, starters, privacy, hostile text, sizes, and the file that it obeys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.chatting import Writer
from tests.e2e.conftest import StartServer
from tests.e2e.serving import Server

Writers = Callable[..., Writer]
STARTERS = {
    "zh-CN": ["杜甫 · 秋夜泊舟", "苏轼 · 雨后登楼", "问 · 何为沉郁顿挫", "改 · 白话入诗"],
    "en-US": [
        "Du Fu · moored on an autumn night",
        "Su Shi · after the rain",
        "Ask · what makes a couplet parallel",
        "Rewrite · prose into verse",
    ],
}


@pytest.mark.parametrize(
    ("locale", "placeholder", "about", "welcome", "label"),
    [
        ("zh-CN", "写下诗题，或问一个问题…", "序", "出一个题目", "诗人"),
        ("zh-HK", "写下诗题，或问一个问题…", "序", "出一个题目", "诗人"),
        ("en-US", "A title for a poem, or a question…", "About", "Name a topic", "Poet"),
        ("fr-FR", "", "", "Name a topic", "Poet"),
    ],
)
def test_the_page_speaks_the_browsers_language(
    writers: Writers, locale: str, placeholder: str, about: str, welcome: str, label: str
) -> None:
    writer = writers(locale)
    if placeholder:
        expect(writer.page.locator("#chat-input")).to_have_attribute("placeholder", placeholder)
        expect(writer.page.locator("#readme-button")).to_have_text(about)
    writer.page.locator("#readme-button").click()
    expect(writer.page.get_by_role("dialog")).to_contain_text(welcome)
    writer.page.keyboard.press("Escape")
    writer.open_settings()
    expect(writer.page.locator('label[for="style"]')).to_contain_text(label)


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_four_starters_give_two_poems_an_answer_and_a_rewriting(server: Server, writers: Writers, locale: str) -> None:
    adapters = []
    for label in STARTERS[locale]:
        writer = writers(locale)
        starters = writer.page.locator("#starters button")
        expect(starters).to_have_count(4)
        known = len(server.answers())
        starters.filter(has_text=label).click()
        adapters.append(server.next_answer(known)["adapter"])
    assert adapters == ["du_fu", "su_shi", None, None]


def test_nothing_is_fetched_from_outside_and_the_policy_forbids_it(writer: Writer) -> None:
    writer.ask("标记，是什么？")
    writer.page.locator("#readme-button").click()
    writer.page.keyboard.press("Escape")
    writer.open_settings()
    assert writer.outside() == []
    response = writer.page.request.get(writer.url)
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "https://" not in response.text()
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"


def test_hostile_text_is_shown_and_never_run(writer: Writer) -> None:
    attack = "<img src=x onerror='window.pwned=4'><script>window.pwned=5</script>"
    writer.ask(f"标记，是什么？{attack}")
    writer.ask(f"以《{attack} ![a](http://evil.example/b.png)》为题写一首七律")
    assert attack in writer.page.locator('.step[data-step-type="user_message"]').first.inner_text()
    assert attack[:30] in writer.captions.last.inner_text()
    link = writer.answers.first.locator("a")
    if link.count():
        assert not (link.get_attribute("href") or "").startswith("javascript:")
    assert writer.page.evaluate("() => window.pwned") is None
    assert writer.page.locator("script:not([src])").count() == 2, "only the page's own"
    assert writer.outside() == []
    assert writer.problems == []


def test_words_after_a_colon_stay(writer: Writer) -> None:
    shown = writer.ask("冒号之后呢？")
    assert shown == "Note:this and Style:Du stay; a:b too. http://x.example:80/"


def test_a_hostile_topic_stays_text_in_the_notices_too(writer: Writer) -> None:
    writer.set(seed="<b>x</b>")
    assert "<b>x</b>" in writer.complaints.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_window_and_follows_the_systems_light(writers: Writers, scheme: str, width: int) -> None:
    writer = writers(viewport={"width": width, "height": 844}, color_scheme=scheme)
    writer.ask("写一首关于江村的七律")
    overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert writer.page.evaluate(overflow) <= 0
    leaf = writer.answers.first.bounding_box()
    assert leaf is not None
    assert leaf["x"] >= 0
    assert leaf["x"] + leaf["width"] <= width
    assert writer.page.evaluate("() => document.documentElement.classList.contains('dark')") == (scheme == "dark")
    lines = writer.page.evaluate(
        "() => { const box = document.querySelector('[data-step-type=assistant_message] [role=article]:last-child');"
        " return Math.round(box.clientHeight / parseFloat(getComputedStyle(box).lineHeight)); }"
    )
    assert lines == 4, "a couplet a line, also on a phone"


def test_the_settings_work_on_a_phone(server: Server, writers: Writers) -> None:
    writer = writers(viewport={"width": 390, "height": 844}, has_touch=True)
    known = len(server.answers())
    writer.set(style="苏轼", temperature=0.9)
    writer.ask("写一首关于江村的七绝")
    record = server.next_answer(known)
    assert (record["adapter"], record["temperature"]) == ("su_shi", 0.9)


def test_the_running_page_obeys_the_configuration_file(
    browser: Browser, start_server: StartServer, config_copy: Path
) -> None:
    text = config_copy.read_text(encoding="utf-8")
    changes = {
        'name = "Moyun"': 'name = "Inkstone"',
        "maximum = 1.5\nstep = 0.05\ndefault = 0.7": "maximum = 1.1\nstep = 0.1\ndefault = 0.9",
        'label = { zh = "温度", en = "Temperature" }': 'label = { zh = "火候", en = "Heat" }',
        'default = "du_fu"': 'default = "su_shi"',
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    config_copy.write_text(text, encoding="utf-8")
    changed = start_server("--config", str(config_copy))
    writer = Writer(browser, changed.url)
    assert writer.page.title() == "Inkstone"
    writer.open_settings()
    expect(writer.page.locator('label[for="temperature"]')).to_contain_text("火候")
    handle = writer.slider("temperature")
    expect(handle).to_have_attribute("aria-valuemax", "1.1")
    expect(handle).to_have_attribute("aria-valuenow", "0.9")
    writer.confirm()
    writer.ask("写一首关于江村的七律")
    record = changed.answers()[0]
    assert (record["adapter"], record["temperature"]) == ("su_shi", 0.9)
    writer.close()
