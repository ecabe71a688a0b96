"""`broadsheet sources`, over papers on loopback and files with comments in them."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from broadsheet import source, urls
from broadsheet.cli import main, sources_text
from broadsheet.feeds import opml
from broadsheet.polling import PollState
from broadsheet.polls import Polls, Window
from broadsheet.source import Source, SourcesError
from tests.hostile.loopback import Server, answer, script, serving

ITEMS = """
<item><title>Ferry &amp; fog</title><link>/2026/ferry</link><pubDate>Wed, 18 Nov 2026 08:00:00 GMT</pubDate></item>
<item><title>Fog, again</title><link>/2026/ferry?utm_source=x</link></item>
<item><title>Owls</title><link>/2026/owls</link></item>
<item><title>Elsewhere</title><link>http://elsewhere.example/1</link></item>
<item><title>A sound</title></item>"""
FEED = f"<rss version='2.0'><channel><title>Harbour 港口</title><ttl>30</ttl>{ITEMS}</channel></rss>".encode()
FOREIGN = (
    b"<rss version='2.0'><channel><title>F</title><item><link>http://elsewhere.example/1</link></item></channel></rss>"
)
PAGE = b"<html><head><link rel=alternate type=application/rss+xml href=/feed.xml title='All of it'></head></html>"
MAP = b"<urlset><url><loc>/2026/owls</loc></url></urlset>"
FILE = """# What we read.
channels:
  - id: town
    kind: webhook

sources:
  # the oldest
  - id: herald
    name: "The Herald" # as it is called
    url: https://herald.example/feed

  - {id: gazette, name: Gazette, url: "https://gazette.example/feed"} # in brackets

# the end
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Server]:
    answers = {"/feed.xml": FEED, "/": PAGE, "/map.xml": MAP, "/foreign.xml": FOREIGN, "/empty": b"<html></html>"}
    with serving(script({path: answer(body) for path, body in answers.items()})) as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["sources", *map(str, arguments)])


def checked(*arguments: object) -> dict[str, str]:
    """The verdict on each entry, by title."""
    result = run("check", *arguments, "--json", "--allow", "127.0.0.0/8")
    assert result.exit_code == 0, result.output
    return {one["title"]: one["verdict"] for one in json.loads(result.output)["verdicts"]}


def test_check_says_of_every_entry_what_a_first_poll_does(site: Server, file: Path) -> None:
    assert checked(site.url("/feed.xml"), "--file", file) == {
        "Ferry & fog": "twice",
        "Fog, again": "announce",  # the undated first, for it may be the newest
        "Owls": "store",
        "Elsewhere": "off-site",
        "A sound": "no-link",
    }


def test_check_of_a_page_takes_the_feed_it_names_and_says_so(site: Server, file: Path) -> None:
    result = run("check", site.url("/"), "--file", file, "--allow", "127.0.0.0/8")
    assert f"the page names {site.url('/feed.xml')} (All of it)" in result.output
    assert "rss, utf-8" in result.output
    assert "30 min" in result.output
    assert "1 off-site: leaves the source's site" in result.output
    assert "asked again in" in " ".join(result.output.split())


def test_check_knows_a_sitemap_and_a_feed_whose_articles_lie_elsewhere(site: Server, file: Path) -> None:
    assert list(checked(site.url("/map.xml"), "--file", file).values()) == ["announce"]
    assert list(checked(site.url("/foreign.xml"), "--file", file).values()) == ["announce"]


def test_check_of_a_page_without_a_feed_says_what_to_do(site: Server, file: Path) -> None:
    result = run("check", site.url("/empty"), "--file", file, "--allow", "127.0.0.0/8")
    assert result.exit_code == 1
    assert "kind: listing" in result.output
    assert "no source 'nobody'" in run("check", "nobody", "--file", file).output


def test_check_of_a_deployed_source_knows_what_it_has_shown(site: Server, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"sources: [{{id: port, name: Port, url: '{site.url('/feed.xml')}'}}]")
    with mock_aws():
        session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        keys = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]}
        template = {
            "Resources": {
                "T": {
                    "Type": "AWS::DynamoDB::Table",
                    "Properties": {
                        **keys,
                        "BillingMode": "PAY_PER_REQUEST",
                        "AttributeDefinitions": [
                            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
                        ],
                    },
                }
            },
            "Outputs": {"StateTableName": {"Value": {"Ref": "T"}}},
        }
        with pytest.MonkeyPatch.context() as patched:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patched.setenv(name, "test")
            patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
            formation = session.client("cloudformation")
            formation.create_stack(StackName="live", TemplateBody=json.dumps(template))
            table = formation.describe_stacks(StackName="live")["Stacks"][0]["Outputs"][0]["OutputValue"]
            polls = Polls(session.client("dynamodb"), table)
            polls.save_window("port", Window().with_shown([urls.article_id(site.url("/2026/owls"))]))
            polls.save("port", PollState(trouble="broken", reason="http-404"))
            verdicts = checked("port", "--file", path, "--stack", "live")
            assert (verdicts["Owls"], verdicts["Fog, again"]) == ("seen", "announce")
            assert "broken: http-404" in run("list", "--file", path, "--stack", "live").output


def test_add_finds_the_feed_and_keeps_every_line_that_was_there(site: Server, file: Path) -> None:
    result = run("add", site.url("/"), "--channel", "town", "--file", file, "--allow", "127.0.0.0/8", "--id", "port")
    assert result.exit_code == 0, result.output
    text = file.read_text(encoding="utf-8")
    assert [line for line in FILE.splitlines() if line not in text.splitlines()] == []
    made = source.parse(text).sources[-1]
    assert made == Source(id="port", name="Harbour 港口", url=site.url("/feed.xml"), channels=("town",))
    assert text.index("in brackets") < text.index("id: port") < text.index("# the end")
    again = run("add", site.url("/feed.xml"), "--file", file, "--allow", "127.0.0.0/8")
    assert again.exit_code == 1
    assert "already, as port" in again.output


def test_add_refuses_what_the_file_cannot_mean(site: Server, file: Path) -> None:
    for wrong in (("--channel", "nobody"), ("--id", "No Id"), ("--id", "herald")):
        result = run("add", site.url("/map.xml"), *wrong, "--file", file, "--allow", "127.0.0.0/8")
        assert result.exit_code == 1, result.output
        assert result.output.splitlines()[-1].startswith("Error: ")
    assert file.read_text(encoding="utf-8") == FILE


def test_add_begins_a_file_and_tells_a_sitemap_and_an_aggregator_apart(site: Server, tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    for name in ("map", "foreign"):
        assert run("add", site.url(f"/{name}.xml"), "--file", path, "--allow", "127.0.0.0/8").exit_code == 0
    first, second = source.load(path).sources
    assert (first.kind, second.kind, second.off_site) == ("sitemap", "feed", True)
    assert first.id != second.id


def test_opml_out_and_in_again(file: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out.opml", tmp_path / "other.yaml"
    assert run("export", out, "--file", file).exit_code == 0
    assert [one.feed_url for one in opml.read(out.read_bytes())] == [
        "https://herald.example/feed",
        "https://gazette.example/feed",
    ]
    assert run("import", out, "--file", other).output == "2 added\n"
    assert [(one.id, one.name) for one in source.load(other).sources] == [
        ("herald", "The Herald"),
        ("gazette", "Gazette"),
    ]
    assert run("import", out, "--file", other).output == "2 known\n"


def test_programs_are_told_what_went_into_the_opml(file: Path, tmp_path: Path) -> None:
    file.write_text(f"{FILE}  - {{id: map, name: Map, url: 'https://map.example/map.xml', kind: sitemap}}\n")
    told = json.loads(run("export", tmp_path / "out.opml", "--file", file, "--json").output)
    assert told == {"written": ["herald", "gazette"], "left_out": ["map"]}
    refused = run("export", "--file", file, "--json")
    assert (refused.exit_code, "name one" in refused.output) == (2, True)


def test_import_skips_what_is_no_address_and_makes_ids_that_differ(tmp_path: Path) -> None:
    listed, path = tmp_path / "in.opml", tmp_path / "s.yaml"
    found = (
        "https://a.herald.example/1",
        "http://herald.example/2",
        "mailto:x@y.example",
        "https://a.herald.example/1#x",
    )
    listed.write_bytes(opml.write([opml.Subscription(url) for url in found]))
    result = run("import", listed, "--file", path)
    assert result.exit_code == 0, result.output
    assert "1 known, 1 skipped" in result.output
    assert [one.id for one in source.load(path).sources] == ["herald", "herald-2"]


def test_list_shows_the_file(file: Path) -> None:
    interval = f"{NEW.interval:4g} min"
    assert f"gazette  feed     {interval}  https://gazette.example/feed" in run("list", "--file", file).output
    listed = json.loads(run("list", "--file", file, "--json").output)
    assert [one["id"] for one in listed] == ["herald", "gazette"]


NEW = Source(id="new", name="New: paper #1", url="https://new.example/feed")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sources: []\n",
        "sources: [] # none yet\nchannels: []\n",
        "sources:\n- id: a\n  name: A\n  url: https://a.example/\n# end",
        "sources:\n- id: a\n  name: A\n  url: https://a.example/",
        "sources:\n    - id: a\n      name: >\n        A\n        B\n\n      url: https://a.example/ # c\n\n# d\n",
        "sources:\n  - id: a\n    url: https://a.example/\n    name: |\n      A\n\n# end\n",
        "sources:\r\n  - id: a\r\n    name: Äöü\r\n    url: https://a.example/\r\n",
    ],
)
def test_a_source_goes_into_any_block_list(text: str) -> None:
    changed = sources_text.added(text, [NEW])
    assert source.parse(changed).sources[-1] == NEW
    assert all(comment in changed for comment in ("# end", "# c", "# none yet") if comment in text)


def test_a_list_in_brackets_is_left_to_its_owner() -> None:
    text = "sources: [{id: a, name: A, url: 'https://a.example/'}]\n"
    with pytest.raises(SourcesError, match="brackets"):
        sources_text.added(text, [NEW])
