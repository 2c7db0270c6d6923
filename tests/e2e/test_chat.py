"""The chat, as a writer meets it, with scripted answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.chatting import Writer, numbers_of
from tests.e2e.conftest import POEM, SLOW_POEM, StartServer
from tests.e2e.serving import ROOT, Server, wait_until

Writers = Callable[..., Writer]


def test_a_poem_is_asked_for_in_the_trained_form_and_the_page_shows_how_it_was_made(
    server: Server, writer: Writer
) -> None:
    known = len(server.answers())
    shown = writer.ask("写一首关于江村的七律")
    record = server.next_answer(known)
    assert shown == record["text"]
    assert record["messages"] == [["system", "你是诗人杜甫。"], ["user", "以江村为题写一首七言律诗"]]
    assert record["adapter"] == "du_fu"
    assert writer.captions.last.inner_text() == "诗 · 不成七律：句数或字数不合 · 江村", "the script's lines are too few"
    said = numbers_of(writer.colophon())
    assert said == {
        "adapter": "du_fu",
        "temperature": "0.7",
        "seed": str(record["seed"]),
        "tokens": str(record["completion_tokens"]),
    }
    assert "首字" in writer.colophon()
    assert "每秒" in writer.colophon()


def test_a_question_goes_to_the_base_model_in_the_poets_voice_with_the_conversation(
    server: Server, writer: Writer
) -> None:
    known = len(server.answers())
    writer.ask("写一首关于江村的七律")
    writer.ask("这首诗的第二联好在哪里？")
    record = server.next_answer(known + 1)
    assert record["adapter"] is None
    roles = [role for role, _ in record["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "杜甫" in record["messages"][0][1]
    assert record["messages"][2][1].startswith(POEM[:16])
    assert writer.captions.last.inner_text() == "问 · 以杜甫的口吻作答"
    assert "基座模型" in writer.colophon()


def test_the_commands_force_a_poem_or_an_answer(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.choose_command("问")
    writer.ask("写一首关于江村的七律")
    assert server.next_answer(known)["adapter"] is None
    writer.choose_command("诗")
    writer.ask("什么是家国？")
    forced = server.next_answer(known + 1)
    assert forced["adapter"] == "du_fu"
    assert forced["messages"][1][1].startswith("以什么是家国为题")


def test_an_answer_grows_on_the_page_while_it_is_written(writer: Writer) -> None:
    writer.send("慢，是什么滋味？")
    expect(writer.answers).to_have_count(1)
    lengths = set()
    wait_until(lambda: lengths.add(len(writer.answers.first.inner_text())) or len(lengths) >= 6, 6, "growth")
    assert "\N{REPLACEMENT CHARACTER}" not in writer.answers.first.inner_text()
    writer.stop_button.click()
    expect(writer.colophons).to_have_count(1)


def test_stop_ends_the_computation_and_keeps_the_part_that_was_written(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.send("慢慢地说说你自己？")
    expect(writer.stop_button).to_be_visible()
    wait_until(lambda: writer.answers.count() and len(writer.answers.first.inner_text()) > 20, what="some text")
    writer.stop_button.click()
    record = server.next_answer(known, 3.0)
    assert record["reason"] == "cancelled"
    assert 20 < record["completion_tokens"] < len(SLOW_POEM)
    expect(writer.colophons).to_have_count(1)
    part = writer.answers.first.inner_text()
    assert record["text"].startswith(part)
    assert len(record["text"]) - len(part) <= 3, "what was computed was shown, up to the pieces on their way"
    assert "已停笔" in writer.colophon()
    assert numbers_of(writer.colophon())["tokens"] == str(len(part))
    assert "manually stopped" not in writer.page.inner_text("body")
    writer.ask("刚才说到哪里了？")
    assert server.next_answer(known + 1)["messages"][2] == ["assistant", part], "the part is remembered"


def test_an_edited_message_is_answered_anew_from_there_and_can_be_stopped(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.ask("你好，先生。")
    writer.ask("你家在哪里？")
    writer.edit(0, "慢慢说，你是哪里人？")
    expect(writer.page.locator('.step[data-step-type="user_message"]')).to_have_count(1)
    wait_until(lambda: writer.answers.count() == 1 and len(writer.answers.first.inner_text()) > 10, what="the rerun")
    writer.stop_button.click()
    record = server.next_answer(known + 2, 3.0)
    assert record["reason"] == "cancelled"
    assert record["messages"][1:] == [["user", "慢慢说，你是哪里人？"]], "what came after is forgotten"
    expect(writer.colophons).to_have_count(1)
    expect(writer.page.locator("#chat-submit")).to_be_visible()
    writer.ask("接着说吧，如何？")
    assert [role for role, _ in server.next_answer(known + 3)["messages"]] == ["system", "user", "assistant", "user"]


def test_the_style_changes_in_mid_conversation_and_no_other_session_notices(server: Server, writers: Writers) -> None:
    mine, other = writers(), writers()
    known = len(server.answers())
    mine.ask("写一首关于江村的七律")
    other.ask("写一首关于孤雁的七律")
    mine.set(style="苏轼")
    expect(mine.notices.last).to_have_text("换由苏轼执笔，自下一条消息起；对话照旧。")
    mine.ask("写一首关于江村的七绝")
    other.ask("写一首关于孤雁的七绝")
    mine.ask("前后两首有何不同？")
    adapters = [record["adapter"] for record in server.answers()[known:]]
    assert adapters == ["du_fu", "du_fu", "su_shi", "du_fu", None]
    conversation = server.answers()[known + 4]["messages"]
    assert len(conversation) == 6, "the conversation stays"
    assert "苏轼" in conversation[0][1]
    assert other.notices.count() == 0


def test_the_next_prompt_is_prepared_while_the_writer_reads(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.ask("写一首关于江村的七律")
    writer.set(style="苏轼")
    session = server.next_answer(known)["session"]
    prepared = [line["messages"] for line in server.lines() if line.get("prepared") == session]
    writer.ask("这首诗好在哪里？")
    asked = server.answers()[known + 1]["messages"]
    assert [len(messages) for messages in prepared] == [1, 3, 3], "at the start, after the poem, after the change"
    assert prepared[-1] == asked[:3]


def test_a_poet_who_is_named_takes_the_brush(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.ask("请苏轼以《雨后登楼》为题写一首七言绝句")
    assert server.next_answer(known)["adapter"] == "su_shi"
    expect(writer.notices.last).to_have_text("应你所请，换由苏轼执笔；对话照旧。")
    writer.open_settings()
    expect(writer.page.locator("#style")).to_have_text("苏轼")


def test_the_slider_moves_by_keyboard_and_holds_from_the_next_message(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.ask("写一首关于江村的七律")
    writer.set(temperature=1.2, top_k=50, seed="42")
    expect(writer.notices.last).to_contain_text("温度 0.7 → 1.2")
    writer.ask("再写一首")
    first, second = server.answers()[known : known + 2]
    assert (first["temperature"], second["temperature"]) == (0.7, 1.2)
    assert (second["top_k"], second["seed"]) == (50, 42)
    assert second["messages"][1][1] == "以江村为题写一首七言律诗", "the topic and form of the poem before"
    assert numbers_of(writer.colophon())["temperature"] == "1.2"


def test_a_value_that_was_moved_but_not_confirmed_holds_for_the_message_sent_with_it(
    server: Server, writer: Writer
) -> None:
    known = len(server.answers())
    writer.open_settings()
    writer.slide("temperature", 0.3)
    writer.ask("写一首关于江村的七律")
    assert server.next_answer(known)["temperature"] == 0.3


def test_settings_that_change_while_a_poem_is_written_leave_stop_in_place(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.send("写一首关于慢的七律")
    expect(writer.stop_button).to_be_visible()
    writer.set(style="苏轼", temperature=1.0)
    expect(writer.notices.first).to_be_visible()
    expect(writer.stop_button).to_be_visible()
    writer.stop_button.click()
    record = server.next_answer(known, 3.0)
    assert (record["reason"], record["adapter"], record["temperature"]) == ("cancelled", "du_fu", 0.7)
    expect(writer.colophons).to_have_count(1)
    assert numbers_of(writer.colophon())["temperature"] == "0.7"
    writer.ask("写一首关于江村的七律")
    assert (server.answers()[-1]["adapter"], server.answers()[-1]["temperature"]) == ("su_shi", 1.0)


def test_the_queue_position_is_shown_until_the_turn_comes(writer: Writer) -> None:
    writer.send("排队是什么感觉？")
    expect(writer.captions.first).to_contain_text("前面还有 3 位")
    expect(writer.captions.first).to_contain_text("前面还有 1 位")
    expect(writer.colophons).to_have_count(1)
    expect(writer.captions.first).not_to_contain_text("前面还有")


def test_an_error_is_one_clear_sentence_in_the_writers_language_and_a_trace_in_the_log(
    server: Server, writers: Writers
) -> None:
    chinese, english = writers(), writers("en-GB")
    chinese.send("出错了怎么办？")
    expect(chinese.complaints).to_have_text("脚本要求报错 NumericsError；请重试。")
    expect(chinese.answers.first).to_have_text("写到一半")
    assert "未写完" in chinese.colophon()
    english.send("停机?")
    expect(english.complaints).to_have_text("The script says EngineStoppedError; try again.")
    for writer in (chinese, english):
        assert "Traceback" not in writer.page.inner_text("body")
        writer.ask("还在吗？")
    assert "Traceback" in server.log()


def test_a_bad_seed_is_said_and_the_old_one_kept(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.set(seed="7")
    writer.set(seed="七")
    expect(writer.complaints).to_contain_text("不是 0 到 2147483647 的整数")
    writer.ask("写一首关于江村的七律")
    assert server.next_answer(known)["seed"] == 7
    writer.open_settings()
    expect(writer.page.locator("#seed")).to_have_value("7")


def test_a_new_chat_ends_what_was_being_written_and_forgets_it(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.ask("你是谁？")
    writer.send("慢慢说？")
    expect(writer.stop_button).to_be_visible()
    writer.page.locator("#new-chat-button").click()
    writer.page.locator("#confirm").click()
    record = server.next_answer(known + 1, 5.0)
    assert record["reason"] == "cancelled"
    wait_until(lambda: {"forgotten": record["session"]} in server.lines(), 5, "forgetting")
    expect(writer.page.locator("#welcome-screen")).to_be_visible()
    writer.wait_for_session()
    writer.ask("你又是谁？")
    assert len(server.answers()[-1]["messages"]) == 2


def test_two_sessions_at_once_each_have_their_own_style_and_temperature(server: Server, writers: Writers) -> None:
    left, right = writers(), writers("en-US")
    left.set(style="杜甫", temperature=0.4, seed="11")
    right.set(style="Su Shi", temperature=1.3, seed="22")
    known = len(server.answers())
    left.send("写一首关于江村的七律")
    right.send("Write a quatrain about 孤雁")
    expect(left.colophons).to_have_count(1)
    expect(right.colophons).to_have_count(1)
    records = {record["adapter"]: record for record in server.answers()[known:]}
    assert (records["du_fu"]["temperature"], records["du_fu"]["seed"]) == (0.4, 11)
    assert (records["su_shi"]["temperature"], records["su_shi"]["seed"]) == (1.3, 22)
    assert records["du_fu"]["session"] != records["su_shi"]["session"]
    assert left.text(0) == records["du_fu"]["text"]
    assert right.text(0) == records["su_shi"]["text"]


def test_a_style_that_is_finished_while_one_chats_is_offered_without_a_restart(
    browser: Browser, start_server: StartServer, tmp_path: Path
) -> None:
    adapters = Path(shutil.copytree(ROOT / "adapters", tmp_path / "adapters"))
    server = start_server(MOYUN_ADAPTERS=str(adapters))
    writer = Writer(browser, server.url)
    writer.ask("你好吗？")
    shutil.copytree(adapters / "general", tmp_path / "li_bai")
    style = (tmp_path / "li_bai" / "style.toml").read_text(encoding="utf-8")
    (tmp_path / "li_bai" / "style.toml").write_text(re.sub(r'zh = "[^"]*"', 'zh = "李白"', style, count=1), "utf-8")
    (tmp_path / "li_bai").rename(adapters / "li_bai")
    writer.ask("现在呢？")
    writer.set(style="李白")
    shutil.rmtree(adapters / "li_bai")
    writer.ask("写一首关于江村的七律")
    assert server.answers()[-1]["adapter"] == "du_fu", "who is gone gives way to the default"
    writer.close()


def test_every_record_line_is_whole(server: Server) -> None:
    for line in server.record_path.read_text(encoding="utf-8").splitlines():
        assert isinstance(json.loads(line), dict)
