"""`broadsheet why`: which rule let an article through to a channel, or stopped it."""

from datetime import UTC, datetime

import boto3
import click

from broadsheet import routing
from broadsheet.cli.deployment import Deployment, stack_option
from broadsheet.deliveries import Deliveries, Delivery


@click.command("why")
@click.argument("article", metavar="ARTICLE")
@click.argument("channel_id", metavar="CHANNEL")
@stack_option
def why(article: str, channel_id: str, stack: str) -> None:
    """Say why CHANNEL hears of ARTICLE (its id or address) or doesn't, by the sources file as it is now.

    And what became of it: a delivery keeps the rule that held when it was made.
    """
    deployment = Deployment(stack)
    sources = deployment.sources
    channel = deployment.channel(channel_id)
    record = deployment.record(article)
    click.secho(record.title or record.url, bold=True)
    listing = [id for id in sorted(record.sources) if channel in sources.channels_of((id,))]
    rule = f"channels of {', '.join(sorted(record.sources))}"
    subscribed = routing.Check(rule, f"listed by {', '.join(listing)}" if listing else "listed by none", bool(listing))
    checks = [subscribed, *routing.checks(channel.filters or routing.Filters(), record)]
    if not record.announce:
        checks.insert(0, routing.Check("announce", "kept quiet when it was stored", False))
    for check in checks:
        click.echo(f"  {'yes' if check.holds else 'NO '}  {check.rule}  (found: {check.found})")
    stop = next((check for check in checks if not check.holds), None)
    click.echo(f"stopped by {stop.rule}" if stop else "let through by " + "; ".join(check.rule for check in checks))
    deliveries = Deliveries(boto3.client("dynamodb"), deployment.output("StateTableName"), run="cli", lease=1)
    click.echo(_told(deliveries.of_article(record.id).get(channel_id)))


def _told(delivery: Delivery | None) -> str:
    if delivery is None:
        return "delivery: none"
    at = delivery.sent_at or delivery.due_at
    when = f" {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC" if at else ""
    return f"delivery: {delivery.status}{when}" + (f", {delivery.reason}" if delivery.reason else "")
