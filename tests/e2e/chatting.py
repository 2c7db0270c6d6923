"""A writer's hands and eyes on the page."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Request, expect

LABELS = {"poem": {"zh": "诗", "en": "Poem"}, "question": {"zh": "问", "en": "Answer"}}


_READ = """answer => {
  const card = answer.querySelector('.poem-card');
  if (card) {
    return [...card.querySelectorAll('.pc-stanza')].map(stanza => [...stanza.querySelectorAll('.pc-row')].map(row =>
      [...row.querySelectorAll('.pc-c, .pc-stop')].map(part => part.textContent).join('')).join('\\n')).join('\\n\\n');
  }
  const parts = [...answer.querySelectorAll('[role=article]')].map(part => part.innerText);
  const over = answer.closest('.step').previousElementSibling;
  const isPoem = (over?.dataset.stepType || '').startsWith('poem_');
  return (isPoem ? parts.slice(1) : parts).join('\\n\\n');
}"""


class Writer:
    """One browser context with one page open."""

    def __init__(self, browser: Browser, url: str, locale: str = "zh-CN", **context: Any) -> None:
        self.url = url
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.context = browser.new_context(locale=locale, **context)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append(dialog.message), dialog.dismiss()))
        self.page.goto(url)
        self.wait_for_session()

    def wait_for_session(self) -> None:
        """Wait until the page can be written on: the server has laid out the settings."""
        expect(self.page.locator("#chat-input")).to_be_visible()
        expect(self.page.locator("#chat-settings-header-button")).to_be_visible()

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)

    def outside(self) -> list[str]:
        """Requests to anywhere but the server."""
        return [url for url in self.requests if not url.startswith((self.url, "data:", "blob:"))]

    def close(self) -> None:
        """Close the browser window."""
        self.context.close()

    # ---- what is on the page

    def steps(self, kind: str) -> Locator:
        """Messages of one type."""
        return self.page.locator(f'.step[data-step-type="{kind}"] .message-content')

    @property
    def answers(self) -> Locator:
        """The texts that were written."""
        return self.steps("assistant_message")

    @property
    def colophons(self) -> Locator:
        """The small lines under the texts; one appears when its text is finished."""
        return self.steps("colophon_message")

    @property
    def captions(self) -> Locator:
        """The lines over the texts."""
        return self.page.locator('.step[data-step-type$="_caption_message"] .message-content')

    @property
    def notices(self) -> Locator:
        """The page's own lines."""
        return self.steps("notice_message")

    @property
    def complaints(self) -> Locator:
        """What went wrong."""
        return self.steps("complaint_message")

    @property
    def stop_button(self) -> Locator:
        """Stop, while something is written."""
        return self.page.locator("#stop-button")

    def colophon(self, index: int = -1) -> str:
        """One small line with ordinary spaces."""
        return (self.colophons.all_inner_texts()[index]).replace("\u00a0", " ")

    @property
    def cards(self) -> Locator:
        """The cards of finished and of checked poems."""
        return self.page.locator(".poem-card")

    def text(self, index: int = -1) -> str:
        """What was written: of a poem its lines, from its card where it has one, without title and tones."""
        answer = self.answers.last if index == -1 else self.answers.nth(index)
        return str(answer.evaluate(_READ)).strip()

    # ---- what a writer does

    def send(self, text: str) -> None:
        """Type a message and press Enter."""
        self.page.locator("#chat-input").fill(text)
        self.page.locator("#chat-input").press("Enter")

    def ask(self, text: str, seconds: float = 20.0) -> str:
        """Send a message and wait for the whole answer."""
        before = self.colophons.count()
        self.send(text)
        expect(self.colophons).to_have_count(before + 1, timeout=seconds * 1000)
        expect(self.page.locator("#chat-submit")).to_be_visible()
        return self.text()

    def check(self, poem: str, locator: str = ".poem-card") -> Locator:
        """Have a poem's metre checked; gives what shows up, a card if nothing else is named."""
        found = self.page.locator(locator)
        before = found.count()
        self.choose_command("检")
        self.send(poem)
        expect(found).to_have_count(before + 1)
        return found.last

    def choose_command(self, command: str) -> None:
        """Press one of the buttons 诗, 检 and 问."""
        self.page.locator(f"#command-{command}").click()

    def open_settings(self) -> None:
        """Open the sidebar."""
        self.page.locator("#chat-settings-header-button").click()
        expect(self.page.locator("#confirm-sidebar")).to_be_visible()

    def confirm(self) -> None:
        """Take the sidebar's values."""
        self.page.locator("#confirm-sidebar").click()
        expect(self.page.locator("#confirm-sidebar")).to_have_count(0)

    def choose_style(self, name: str) -> None:
        """Choose a poet in the open sidebar."""
        self.page.locator("#style").click()
        self.page.get_by_role("option", name=name, exact=True).click()

    def slider(self, name: str) -> Locator:
        """The handle of a slider."""
        return self.page.locator(f"#{name} [role=slider]")

    def slide(self, name: str, value: float) -> None:
        """Move a slider to ``value`` with the arrow keys."""
        handle = self.slider(name)
        handle.focus()
        for _ in range(60):
            now = float(handle.get_attribute("aria-valuenow") or "nan")
            if abs(now - value) < 1e-6:
                return
            handle.press("ArrowRight" if now < value else "ArrowLeft")
        raise AssertionError(f"{name} would not move to {value}")

    def set(self, **values: Any) -> None:
        """Open the sidebar, set these and confirm."""
        self.open_settings()
        for name, value in values.items():
            if name == "style":
                self.choose_style(value)
            elif isinstance(value, str):
                self.page.locator(f"#{name}").fill(value)
            else:
                self.slide(name, value)
        self.confirm()

    def edit(self, index: int, text: str) -> None:
        """Change one's own message and send it again."""
        message = self.page.locator('.step[data-step-type="user_message"]').nth(index)
        message.hover()
        message.locator(".edit-message").click()
        self.page.locator("#edit-chat-input").fill(text)
        self.page.locator(".confirm-edit").click()


def numbers_of(colophon: str) -> dict[str, str | None]:
    """What a small line says, Chinese or English."""
    patterns = {
        "adapter": r"(?:适配器|adapter) (\w+)",
        "temperature": r"(?:温度|temperature) ([\d.]+)",
        "seed": r"(?:种子|seed) (\d+)",
        "tokens": r"(\d+) (?:词元|tokens)",
    }
    return {name: (found[1] if (found := re.search(shape, colophon)) else None) for name, shape in patterns.items()}
