"""Summaries: which text is taken, in what order, and where it is cut."""

import pytest

from broadsheet.article import Article, Block
from broadsheet.summary import best_sentences, split_sentences, summarize

PARAGRAPHS = (
    "The council of Lindholm voted on Monday to close the old bridge over the river Aa to lorries.",
    "Inspectors had found cracks in two of the bridge's piers during a survey in spring.",
    "“We can't wait for an accident,” said the mayor, Ida Berg.",
    "Lorries will take the motorway bridge, a detour of nine kilometres, from the first of May.",
    "Hauliers called the closure of the old bridge to lorries a heavy blow and asked the council for help.",
)


def article(**fields: object) -> Article:
    blocks = tuple(Block(kind="paragraph", text=text) for text in PARAGRAPHS)
    given = {"url": "https://news.example/bridge", "title": "Old bridge closed to lorries", "blocks": blocks}
    return Article(**{**given, "text": "\n\n".join(PARAGRAPHS), **fields})  # type: ignore[arg-type]  # built by name


def test_a_good_standfirst_is_the_summary() -> None:
    told = "Cracks in the piers force the council of Lindholm to send lorries over the motorway bridge."
    assert summarize(article(standfirst=told)) == told


@pytest.mark.parametrize(
    "poor",
    [
        "Old bridge closed to lorries",
        "The council of Lindholm voted on Monday to close the old bridge over …",
        "The council of Lindholm voted on Monday to close the old bridge over [...]",
        "Breaking stories, sports results, weather forecasts and celebrity gossip, updated around the clock.",
        "Read on",
        "",
        None,
    ],
)
def test_a_poor_standfirst_gives_way_to_sentences_of_the_body(poor: str | None) -> None:
    summary = summarize(article(standfirst=poor))
    assert summary.startswith(PARAGRAPHS[0])
    assert len(summary) <= 300


def test_sentences_are_whole_in_reading_order_and_not_repeated() -> None:
    doubled = tuple(Block(kind="paragraph", text=text) for text in (*PARAGRAPHS, PARAGRAPHS[0]))
    summary = summarize(article(blocks=doubled), limit=300)
    found = split_sentences(summary)
    body = [sentence for text in PARAGRAPHS for sentence in split_sentences(text)]
    assert found == sorted(set(found), key=body.index)
    assert len(found) >= 2


def test_the_best_sentence_may_come_late_and_still_stands_in_reading_order() -> None:
    scene = "Rain was falling on the quay when the fishermen of Vessa came home."
    point = "The ferry to Vessa will stop for good in October, the operator said."
    aside = "A dog slept under a bench and children threw pebbles into the water."
    summary = best_sentences(
        [scene, aside, aside.replace("dog", "cat"), point], title="Ferry to Vessa stops", limit=140
    )
    assert summary == f"{scene} {point}"


def test_of_equals_the_first_is_taken() -> None:
    equals = [
        "Alpha met the press in Aland today.",
        "Gamma saw a play in Bergen today.",
        "Delta ate a fish in Cork today.",
    ]
    assert best_sentences(equals, limit=40) == equals[0]


def test_an_ideograph_takes_the_room_of_more_than_two_letters() -> None:
    sentences = [f"第{n}条消息说的是一件与别的消息都不相同的事情呢。" for n in "一二三四五六七八九"]
    assert (
        len(
            best_sentences(
                [a.replace("消息", b) for a, b in zip(sentences, "甲乙丙丁戊己庚辛壬", strict=True)], limit=100
            )
        )
        <= 40
    )


def test_chinese_sentences_are_joined_without_spaces() -> None:
    paragraphs = (
        "林德霍尔姆市议会星期一投票决定，禁止卡车通过阿河上的旧桥。春季检查时，专家在两个桥墩上发现了裂缝。",
        "“我们不能等到出事，”市长贝里说。卡车从五月一日起须绕行九公里，改走高速公路大桥。",
    )
    blocks = tuple(Block(kind="paragraph", text=text) for text in paragraphs)
    summary = summarize(article(title="旧桥禁行卡车", blocks=blocks, text="\n\n".join(paragraphs)), limit=160)
    assert summary.startswith("林德霍尔姆市议会")
    assert summary.endswith("。")
    assert len(split_sentences(summary)) >= 2
    assert " " not in summary


@pytest.mark.parametrize("limit", [10, 40, 55])
def test_no_sentence_fits_then_the_best_is_cut(limit: int) -> None:
    summary = summarize(article(), limit=limit)
    assert 0 < len(summary) <= limit
    assert summary.endswith("…")


def test_without_body_the_standfirst_then_the_title() -> None:
    bare = {"blocks": (), "text": ""}
    assert summarize(article(**bare, standfirst="Read on")) == "Read on"
    assert summarize(article(**bare)) == "Old bridge closed to lorries"
    assert summarize(article(**bare, title="")) == ""


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "Mr. Berg met J. R. Lund at 3.5 m. depth. It rained!",
            ["Mr. Berg met J. R. Lund at 3.5 m. depth.", "It rained!"],
        ),
        ("“It fell.” He ran… She stayed.", ["“It fell.”", "He ran…", "She stayed."]),
        ("他说：“下雨了。”她问：「真的？」是的！", ["他说：“下雨了。”", "她问：「真的？」", "是的！"]),
        ("Preis: 3,5 Mio. Euro, vgl. Seite 2. Ende.", ["Preis: 3,5 Mio. Euro, vgl. Seite 2.", "Ende."]),
        ("Why?! Because.", ["Why?!", "Because."]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@pytest.mark.parametrize("piece", [".", "!", "“", "。", "a.", "A. ", "[...", "🇫🇷", "\u0301", "。\u0301", "字", "x"])
def test_no_text_takes_more_than_a_moment(piece: str) -> None:
    endless = piece * (200_000 // len(piece))  # quadratic time would run into the suite's timeout
    summary = summarize(article(title=endless, standfirst=endless, blocks=(), text=endless))
    assert len(summary) <= 300
