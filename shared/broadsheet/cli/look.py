"""`broadsheet extract` and `broadsheet fetch`: see what one page gives, and how it is got."""

from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from broadsheet import extract
from broadsheet.fetch import Client, FetchError, Response, Trace, user_agent
from broadsheet.parse import AGENT
from broadsheet.robots import Robots, from_answer

CONTACT = "https://github.com/broadsheet-news"

_allow = click.option(
    "--allow", multiple=True, metavar="CIDR", help="A network outside the public internet that may be fetched."
)


@click.command("extract")
@click.argument("page", metavar="URL-OR-FILE")
@click.option("--url", help="Of a file: the address it came from, for its links and its publisher's rule.")
@click.option("--timezone", help="Of the publisher, where the page prints a local time, e.g. Europe/Paris.")
@click.option("--json", "shape", flag_value="json", default=True, help="The article as consumers get it.  [default]")
@click.option("--text", "shape", flag_value="text", help="The body as plain text.")
@click.option("--html", "shape", flag_value="html", help="The body as sanitised HTML.")
@click.option("--explain", "shape", flag_value="explain", help="Every witness per field, and why one was believed.")
@_allow
def extract_(page: str, url: str | None, timezone: str | None, shape: str, allow: tuple[str, ...]) -> None:
    """Turn a page into an article."""
    charset = None
    if page.startswith(("http://", "https://")):
        response = _client(allow).get(page)
        body, url, charset = response.body, response.url, response.charset
    else:
        body = Path(page).read_bytes()
        url = url or "https://file.invalid/" + Path(page).name
    zone = ZoneInfo(timezone) if timezone else None
    explained = extract.explain(body, url, charset=charset, zone=zone)
    article = explained.article
    match shape:
        case "text":
            click.echo(article.text)
        case "html":
            click.echo(article.html)
        case "explain":
            _explain(explained)
        case _:
            click.echo(msgspec.json.format(msgspec.json.encode(article)).decode())


def _explain(explained: extract.Explanation) -> None:
    click.echo(f"read as {explained.codec}; body found by {explained.body}")
    for field, verdict in explained.verdicts.items():
        click.secho(f"\n{field}: ", bold=True, nl=False)
        click.echo(str(verdict.value) if verdict.chosen else "nobody knows")
        for claim in verdict.claims:
            mark = "→" if claim == verdict.chosen else " "
            click.echo(f"  {mark} {claim.witness.kind} {claim.witness.key}: {claim.value}")
        if verdict.why:
            click.echo(f"    {verdict.why}")


@click.command("fetch")
@click.argument("url")
@click.option("--explain", is_flag=True, help="Show resolution, robots.txt, redirects, timings and caps, not the page.")
@click.option("--contact", default=CONTACT, show_default=True, help="What the User-Agent tells publishers.")
@_allow
def fetch_(url: str, explain: bool, contact: str, allow: tuple[str, ...]) -> None:
    """Fetch a page as parse would: publicly, politely, within limits."""
    client = _client(allow, contact)
    if not explain:
        click.echo(client.get(url).body, nl=False)
        return
    robots_url = "/".join(url.split("/")[:3]) + "/robots.txt"
    click.secho(robots_url, bold=True)
    robots = _robots(client, robots_url)
    delay = robots.crawl_delay(AGENT)
    click.echo(f"  {'allows' if robots.allows(url, AGENT) else 'disallows'} {url} to {AGENT}")
    click.echo(f"  crawl delay: {delay:g} s" if delay is not None else "  no crawl delay")
    click.secho(url, bold=True)
    try:
        response = client.get(url)
    except FetchError as error:
        _show(error.trace)
        raise
    _show(response.trace)
    click.echo(_summary(response))


def _robots(client: Client, url: str) -> Robots:
    try:
        response = client.get(url)
    except FetchError as error:
        _show(error.trace)
        return from_answer(error.status or 503, b"")
    _show(response.trace)
    return from_answer(response.status, response.body)


def _show(trace: Trace) -> None:
    for step in trace:
        click.echo(f"  {step.at * 1000:7.0f} ms  {step.what:<12} {step.detail}")


def _summary(response: Response) -> str:
    moved = f", moved for good to {response.permanent_url}" if response.permanent_url else ""
    return f"  {response.status}, {len(response.body)} bytes of {response.content_type or 'no type'}{moved}"


def _client(allow: tuple[str, ...], contact: str = CONTACT) -> Client:
    return Client(user_agent=user_agent(contact), allowed_networks=allow)
