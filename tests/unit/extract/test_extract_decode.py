"""Bytes become the right text: declared, undeclared, wrongly declared and damaged."""

import pytest

from broadsheet.extract.decode import codec_of, declared_codec, decode

CHINESE = "港口渡轮停航一年之后即将复航，市政府称这是今年最好的消息。"


def page(text: str, charset: str | None) -> str:
    meta = f'<meta charset="{charset}">' if charset else ""
    return f"<html><head>{meta}<title>{text}</title></head><body><p>{text * 5}</p></body></html>"


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("utf-8", "utf-8", CHINESE),
        ("gb2312", "gb18030", "朱镕基總統" + CHINESE),
        ("big5", "big5hkscs", "據中央社報導"),
        ("iso-8859-1", "cp1252", "“Smart” – quotes…"),
        ("shift_jis", "cp932", "①②髙﨑"),
        ("euc-kr", "cp949", "똠방각하"),
        ("windows-1251", "cp1251", "Президент подписал новый закон"),
    ],
)
def test_a_declared_set_is_read_as_browsers_read_it(declared: str, codec: str, text: str) -> None:
    assert text in decode(page(text, declared).encode(codec))[0]


def test_the_header_beats_the_page() -> None:
    assert "據中央社" in decode(page("據中央社報導", "windows-1252").encode("big5"), "big5")[0]


def test_what_is_valid_utf8_is_utf8_whatever_is_declared() -> None:
    assert decode(page(CHINESE, "gb2312").encode(), "gbk") == (page(CHINESE, "gb2312"), "utf-8")


def test_a_wrong_header_gives_way_to_the_page() -> None:
    assert CHINESE in decode(page(CHINESE, "gbk").encode("gb18030"), "utf-8")[0]


def test_an_undeclared_set_is_guessed() -> None:
    assert CHINESE in decode(page(CHINESE, None).encode("gb18030"))[0]


def test_a_few_broken_bytes_do_not_change_the_set() -> None:
    broken = page(CHINESE * 20, "utf-8").encode().replace("渡".encode(), b"\xff", 1)
    text, codec = decode(broken)
    assert codec == "utf-8"
    assert text.count("\ufffd") == 1


@pytest.mark.parametrize("wide", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_seen_by_its_zeros(wide: str) -> None:
    assert decode(page("Ferry returns", None).encode(wide))[0] == page("Ferry returns", None)


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b'<meta http-equiv="Content-Type" content="text/html; charset=gb2312">', "gb18030"),
        (b"<META CHARSET=big5>", "big5hkscs"),
        (b'<!-- <meta charset="big5"> --><meta charset="utf-8">', "utf-8"),
        (b'<meta charset="utf-16">', "utf-8"),
        (b'<meta content="text/html; charset=big5" name="description">', None),
        (b'<meta charset="no-such-set">', None),
        (b"<metacharset=big5>", None),
    ],
)
def test_declarations_are_found_as_the_standard_finds_them(head: bytes, codec: str | None) -> None:
    assert declared_codec(head) == codec


@pytest.mark.parametrize("label", ["", "\x00", "rot13", "hex", "x" * 10_000])
def test_a_label_nobody_knows_is_none(label: str) -> None:
    assert codec_of(label) is None
