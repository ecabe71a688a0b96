"""What a month costs, reckoned from the committed figures: the targets, the levers, and what the README says."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from broadsheet.cli import main
from broadsheet.cli.cost import Plan, bill, figures, prices, run_seconds, total
from tests.benchmarks.scale import model

ROOT = Path(__file__).parents[3]


def per_million(plan: Plan) -> float:
    return total(bill(plan), "article") / plan.articles * 1e6


def test_a_million_articles_stay_within_bounds() -> None:
    """Ten dollars with links to reprints and without archive and events, twelve with everything."""
    assert per_million(Plan()) <= 10
    assert per_million(Plan(raw=True, events=True)) <= 12


def test_links_to_reprints_cost_little() -> None:
    assert per_million(Plan()) - per_million(Plan(reprints=False)) <= 0.25
    assert per_million(Plan(batch=1)) - per_million(Plan(reprints=False, batch=1)) > 0.6, "an item a run"


def test_each_extra_costs_and_nothing_is_free() -> None:
    plain = per_million(Plan(reprints=False))
    for more in (Plan(), Plan(reprints=False, raw=True), Plan(reprints=False, events=True)):
        assert per_million(more) > plain
    assert total(bill(Plan(channels=1)), "post") > 2 * total(bill(Plan()), "post") == 0
    assert total(bill(Plan(sources=10_000)), "fixed") > 2 * total(bill(Plan()), "fixed")


def test_publishing_costs_by_sources_with_news_and_no_more_than_its_schedule() -> None:
    few, many = (total(bill(Plan(articles=n)), "published") for n in (1e3, 1e9))
    files = 30.4 * 96 * (1000 * 4 + 5)
    assert few < 0.1
    assert files * prices()["s3_put"] < many - 1e9 * prices()["s3_get"] < 2 * files * prices()["s3_put"]


def test_articles_that_come_several_at_once_give_their_hosts_turn_back_for_each_other() -> None:
    turns = [line for n in (1e4, 1e6, 1e8) for line in bill(Plan(articles=n)) if line.what.endswith("record and turn")]
    assert [line.much for line in turns] == ["2.00 writes", "2.36 writes", "3.00 writes"], "the record's is one of them"


def test_fuller_runs_are_cheaper_and_memory_costs_where_a_run_only_waits() -> None:
    spent = [per_million(Plan(batch=batch)) for batch in (1, 5, 20, 50)]
    assert all(fuller < emptier for emptier, fuller in pairwise(spent))
    assert per_million(Plan(batch=1, memory=2048)) > per_million(Plan(batch=1, memory=512))
    assert run_seconds(50, 512) > run_seconds(50, 1769) == run_seconds(50, 3008)


def test_the_bill_is_the_sum_of_its_lines_and_tells_its_sources() -> None:
    result = CliRunner().invoke(main, ["cost", "--articles", "1e6", "--channels", "1", "--json"])
    told = json.loads(result.output)
    assert told["dollars_a_month"] == pytest.approx(sum(line["dollars"] for line in told["lines"]), abs=0.01)
    assert (told["measured"], told["prices_as_of"]) == (figures().measured, str(prices()["as_of"]))
    shown = CliRunner().invoke(main, ["cost"]).output
    for part in ("per article stored", "every month, whatever comes", "from secondary sources: look them up"):
        assert part in shown
    assert f"${per_million(Plan()):,.2f} per million articles stored" in shown


def test_the_readme_says_what_is_reckoned() -> None:
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    dollars = [per_million(plan) for plan in (Plan(), Plan(reprints=False), Plan(raw=True, events=True))]
    dollars += [total(bill(Plan(channels=1)), "post"), total(bill(Plan()), "published"), total(bill(Plan()), "fixed")]
    for amount in dollars:
        assert re.search(rf"\${amount:.2f}(?!\d)", said), amount


def test_the_docs_table_is_the_models() -> None:
    assert model.table() in (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_the_docs_price_by_memory_and_batch_is_what_is_reckoned() -> None:
    said = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    for memory in (512, 1024, 1769, 3008):
        row = " | ".join(f"{per_million(Plan(memory=memory, batch=batch)):.2f}" for batch in (1, 5, 20, 50))
        assert f"| {memory:,} | {row} |" in said


def test_what_breaks_first_is_what_the_readme_names() -> None:
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    broken = [row.what for row in model.rows(10_000) if row.ratio > 1]
    assert broken == [
        "one chat channel told of everything (posts a second)",
        "notify: the stream's shard, one batch at a time (posts a second)",
    ]
    for what in broken:
        assert f"{round(model.breaks_at(what), -2):,.0f} sources" in said
