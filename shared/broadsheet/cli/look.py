"""`broadsheet extract` and `broadsheet fetch`: see what one page gives, and how it is got."""

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from broadsheet import extract
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.reach import CONTACT, allow_option, client_for, page_at
from broadsheet.fetch import Client, FetchError, FetchRefused, Limits, Response, Trace
from broadsheet.parse import AGENT
from broadsheet.robots import Robots, from_answer


@click.command("extract")
@click.argument("page", metavar="URL-OR-FILE")
@click.option("--url", help="Of a file: the address it came from, for its links and its publisher's rule.")
@click.option("--timezone", help="Of the publisher, where the page prints a local time, e.g. Europe/Paris.")
@click.option(
    "--rule",
    "rule_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Try this publisher rule, whatever hosts and paths it is for.",
)
@click.option("--json", "shape", flag_value="json", default=True, help="The article as consumers get it.  [default]")
@click.option("--text", "shape", flag_value="text", help="The body as plain text.")
@click.option("--html", "shape", flag_value="html", help="The body as sanitised HTML.")
@click.option("--explain", "shape", flag_value="explain", help="Every witness per field, and why one was believed.")
@allow_option
def extract_(
    *, page: str, url: str | None, timezone: str | None, rule_file: Path | None, shape: str, allow: tuple[str, ...]
) -> None:
    """Turn a page into an article."""
    rule = extract.load_rule(rule_file) if rule_file else None
    is_file = not page.startswith(("http://", "https://"))
    body, found_at, charset = page_at(page, allow)
    url = (url if is_file else None) or found_at
    zone = ZoneInfo(timezone) if timezone else None
    rules = (lambda _url: rule) if rule else extract.publisher_rule
    explained = extract.explain(body, url, charset=charset, zone=zone, rules=rules)
    article = explained.article
    if rule:
        _judge(rule, rule_file, explained)
    match shape:
        case "text":
            click.echo(article.text)
        case "html":
            click.echo(article.html)
        case "explain":
            _explain(explained)
        case _:
            show_json(article)


def _judge(rule: extract.Rule, file: Path | None, explained: extract.Explanation) -> None:
    """Tell a rule's writer which of its selectors find nothing; without a body the rule has failed."""
    if explained.article.rule_missed:
        raise extract.RuleError(f"{file}", "body", f"{rule.body!r} finds nothing on {explained.article.url}")
    heard = {field for field, verdict in explained.verdicts.items() for c in verdict.claims if c.witness.kind == "rule"}
    for field in extract.RULE_FIELDS:
        if (selector := getattr(rule, field)) and field not in heard:
            click.secho(f"{file}: {field}: {selector!r} finds nothing of use", fg="yellow", err=True)


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
@json_option
@allow_option
def fetch_(url: str, *, explain: bool, contact: str, as_json: bool, allow: tuple[str, ...]) -> None:
    """Fetch a page as parse would: publicly, politely, within limits."""
    client = client_for(allow, contact)
    if not (explain or as_json):
        click.echo(client.get(url).body, nl=False)
        return
    robots_url = "/".join(url.split("/")[:3]) + "/robots.txt"
    robots, asked, missed = _robots(client, robots_url)
    delay = robots.crawl_delay(AGENT)
    failure: FetchError | None = None
    allowed = robots.allows(url, AGENT)
    try:
        if not allowed:
            raise missed or FetchRefused(url, "robots-disallowed")
        response = client.get(url)
        trace = response.trace
    except FetchError as error:
        failure, trace = error, error.trace
    if as_json:
        told = {"reason": failure.reason} if failure else {"status": response.status, "bytes": len(response.body)}
        rules = {"url": robots_url, "allows": allowed, "crawl_delay": delay, "trace": asked}
        show_json({"url": url, **told, "trace": trace, "robots": rules, "limits": client.limits})
        return
    click.secho(robots_url, bold=True)
    _show(asked)
    click.echo(f"  {'allows' if allowed else 'disallows'} {url} to {AGENT}")
    click.echo(f"  crawl delay: {delay:g} s" if delay is not None else "  no crawl delay")
    click.secho(url, bold=True)
    click.echo(f"  {_caps(client.limits)}")
    _show(trace)
    if failure:
        raise failure
    click.echo(_summary(response))


def _robots(client: Client, url: str) -> tuple[Robots, Trace, FetchError | None]:
    """The rules at `url`, how they were asked for, and why they weren't had."""
    try:
        response = client.get(url)
    except FetchError as error:
        return from_answer(error.status or 503, b""), error.trace, error
    return from_answer(response.status, response.body), response.trace, None


def _caps(limits: Limits) -> str:
    return (
        f"may take {limits.connect_seconds:g} s to connect, {limits.first_byte_seconds:g} s to begin, "
        f"{limits.total_seconds:g} s in all, {limits.redirects} redirects, {limits.header_bytes >> 10} KiB of headers, "
        f"{limits.body_bytes >> 20} MiB as sent, {limits.decoded_bytes >> 20} MiB unpacked"
    )


def _show(trace: Trace) -> None:
    for step in trace:
        click.echo(f"  {step.at * 1000:7.0f} ms  {step.what:<12} {step.detail}")


def _summary(response: Response) -> str:
    moved = f", moved for good to {response.permanent_url}" if response.permanent_url else ""
    return f"  {response.status}, {len(response.body)} bytes of {response.content_type or 'no type'}{moved}"
