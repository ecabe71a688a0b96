"""`broadsheet why`: which rule let an article through to a channel, or stopped it."""

from datetime import UTC, datetime

import click

from broadsheet import routing
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.deliveries import Delivery


@click.command("why")
@click.argument("article", metavar="ARTICLE")
@click.argument("channel_id", metavar="CHANNEL")
@json_option
@on_deployment
def why(article: str, *, channel_id: str, as_json: bool, deployment: Deployment) -> None:
    """Say why CHANNEL hears of ARTICLE (its id or address) or doesn't, by the sources file as it is now.

    And what became of it: a delivery keeps the rule that held when it was made.
    """
    sources = deployment.sources
    channel = deployment.channel(channel_id)
    record = deployment.record(article)
    listing = [id for id in sorted(record.sources) if channel in sources.channels_of((id,))]
    rule = f"channels of {', '.join(sorted(record.sources))}"
    subscribed = routing.Check(rule, f"listed by {', '.join(listing)}" if listing else "listed by none", bool(listing))
    checks = [subscribed, *routing.checks(channel.filters or routing.Filters(), record)]
    if not record.announce:
        checks.insert(0, routing.Check("announce", "kept quiet when it was stored", False))
    stop = next((check for check in checks if not check.holds), None)
    delivery = deployment.deliveries.of_article(record.id).get(channel_id)
    if as_json:
        show_json({"id": record.id, "checks": checks, "stopped_by": stop and stop.rule, "delivery": delivery})
        return
    click.secho(record.title or record.url, bold=True)
    for check in checks:
        click.echo(f"  {'yes' if check.holds else 'NO '}  {check.rule}  (found: {check.found})")
    click.echo(f"stopped by {stop.rule}" if stop else "let through by " + "; ".join(check.rule for check in checks))
    click.echo(_told(delivery))


def _told(delivery: Delivery | None) -> str:
    if delivery is None:
        return "delivery: none"
    at = delivery.sent_at or delivery.due_at
    when = f" {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC" if at else ""
    return f"delivery: {delivery.status}{when}" + (f", {delivery.reason}" if delivery.reason else "")
