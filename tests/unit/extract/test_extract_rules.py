"""Publisher rules: each one against a page of ours in its publisher's shape, and what happens when one misses."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broadsheet.extract import RuleError, explain, extract, load_rule, no_rule, publisher_rule

HERE = Path(__file__).parent / "publishers"
RULES = sorted((Path(__file__).parents[3] / "shared/broadsheet/publishers").glob("*.yaml"))
PAGES = {
    "rfi.fr": "https://www.rfi.fr/cn/20240205-ferry",
    "bbc.com": "https://www.bbc.com/zhongwen/simp/world-1",
    "dw.com": "https://www.dw.com/zh/ferry/a-1",
    "voachinese.com": "https://www.voachinese.com/a/ferry/1.html",
    "cn.nytimes.com": "https://cn.nytimes.com/business/20240205/ferry/",
    "rfa.org": "https://www.rfa.org/mandarin/ferry.html",
    "chinadigitaltimes.net": "https://chinadigitaltimes.net/chinese/1.html",
}
PARAGRAPHS = ("渡轮公司周三表示", "工程师说", "市民可以在码头")
LEADING = {"rfi.fr", "dw.com", "voachinese.com"}
INSTANTS = {"bbc.com": datetime(2024, 2, 5, tzinfo=UTC)}


def page(host: str) -> bytes:
    return (HERE / f"{host}.html").read_bytes()


def test_every_rule_has_a_page_of_its_shape() -> None:
    assert {path.stem for path in RULES} == set(PAGES) == {path.stem for path in HERE.glob("*.html")}


@pytest.mark.parametrize("host", PAGES)
def test_a_rule_finds_its_publishers_fields_and_nothing_else(host: str) -> None:
    article = extract(page(host), PAGES[host])
    texts = [block.text for block in article.blocks if block.kind in ("paragraph", "quote")]
    assert article.title == "港口渡轮复航"
    assert article.authors[:1] == ("林小舟",)
    assert article.published_at == INSTANTS.get(host, datetime(2024, 2, 5, 8, 41, tzinfo=UTC))
    assert [text[: len(start)] for text, start in zip(texts[-3:], PARAGRAPHS, strict=True)] == list(PARAGRAPHS)
    assert len(texts) == 3 + (host in LEADING)
    assert bool(article.standfirst) == (host in LEADING)
    assert article.rule_missed is None
    assert {article.provenance[field].kind for field in ("title", "authors", "published_at", "text")} == {"rule"}


def test_a_rule_that_no_longer_matches_leaves_the_page_to_the_generic_path_and_says_so() -> None:
    redesigned = page("rfi.fr").replace(b"t-content__", b"article-x-")
    article = extract(redesigned, PAGES["rfi.fr"])
    assert article.rule_missed == "RFI"
    assert article.provenance["text"].kind == "heuristic"
    assert all(any(start in block.text for block in article.blocks) for start in PARAGRAPHS)


def test_the_generic_path_can_be_had_alone() -> None:
    explanation = explain(page("rfi.fr"), PAGES["rfi.fr"], rules=no_rule)
    assert explanation.article.rule_missed is None
    assert "rule" not in {witness.kind for witness in explanation.article.provenance.values()}


def test_a_rule_gives_local_times_their_zone() -> None:
    local = page("rfi.fr").replace(b"2024-02-05T08:41:00+00:00", b"2024-02-05T09:41:00")
    assert extract(local, PAGES["rfi.fr"]).published_at == datetime(2024, 2, 5, 8, 41, tzinfo=UTC)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.bbc.com/news/1",
        "https://rfi.fr.example/cn/",
        "https://notrfi.fr/cn/",
        "https://example.com/",
        "nonsense",
    ],
)
def test_a_rule_speaks_only_for_its_own_host_and_paths(address: str) -> None:
    assert publisher_rule(address) is None


@pytest.mark.parametrize("text", ["name: x", "name: x\nshape: y\nbody: p\ncolour: red", "[", "- 1"])
def test_a_file_that_is_no_rule_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(RuleError, match=r"bad\.yaml"):
        load_rule(tmp_path / "bad.yaml")
