"""The token budget of a long conversation."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.e2e.chatting import Writer
from tests.e2e.conftest import StartServer


def test_older_turns_are_left_out_with_a_notice_and_what_cannot_fit_is_refused(
    browser: Browser, start_server: StartServer
) -> None:
    script = {"context_length": 1200, "answers": [{"text": "好。" * 60}]}
    server = start_server(script=script)
    writer = Writer(browser, server.url)
    writer.set(max_new_tokens=192)
    for turn in range(5):
        writer.ask(f"第{turn}问：" + "何如？" * 40)
    expect(writer.notices.last).to_contain_text("不再带入")
    last = server.answers()[-1]["messages"]
    assert last[0][0] == "system"
    assert last[-1] == ["user", "第4问：" + "何如？" * 40]
    assert ["user", "第0问：" + "何如？" * 40] not in last
    assert "未带入前" in writer.colophon()
    known = len(server.answers())
    writer.send("何" * 1100 + "？")
    expect(writer.complaints).to_contain_text("词元，按现在的篇幅上限最多容 1008 词元")
    assert len(server.answers()) == known, "refused at once"
    writer.ask("那么短一些呢？")
    writer.close()
