"""Streaming text: whole characters, and nothing lost or added."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.engine.detokenizer import Detokenizer, TokenBytes
from tests import tiny

TOKENIZER = tiny.make_tokenizer()
TOKEN_BYTES = TokenBytes(TOKENIZER)
WRITTEN = st.text(st.sampled_from("春江潮水連海平𠮷𪚥👩‍🚀🏳️‍🌈é\n ，。abc\u200b"), max_size=40)


def pieces(ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(TOKEN_BYTES)
    return [*(detokenizer.push(token) for token in ids), detokenizer.flush()]


@given(WRITTEN)
def test_joined_pieces_equal_the_text(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    streamed = pieces(ids)
    assert "".join(streamed) == text
    assert all("\ufffd" not in piece for piece in streamed)


@given(st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=40))
def test_joined_pieces_equal_the_full_decode_of_any_ids(ids: list[int]) -> None:
    whole = TOKENIZER.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert "".join(pieces(ids)) == whole


def test_a_character_is_held_back_until_its_last_byte() -> None:
    ids = TOKENIZER.encode("𪚥", add_special_tokens=False)
    assert len(ids) == 4
    assert pieces(ids) == ["", "", "", "𪚥", ""]


def test_ids_past_the_vocabulary_stand_for_nothing() -> None:
    assert pieces([len(TOKENIZER) + 7]) == ["", ""]
