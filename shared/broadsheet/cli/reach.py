"""How commands reach the outside: who they say they are, what they may connect to, and the page somebody names."""

from pathlib import Path

import click

from broadsheet.fetch import Client, user_agent

CONTACT = "https://github.com/broadsheet-news"

allow_option = click.option(
    "--allow", multiple=True, metavar="CIDR", help="A network outside the public internet that may be connected to."
)


def client_for(allow: tuple[str, ...], contact: str = CONTACT) -> Client:
    """A client for one command, which may connect to the networks of `allow` too."""
    return Client(user_agent=user_agent(contact), allowed_networks=allow)


def page_at(page: str, allow: tuple[str, ...], *, advice: str = "") -> tuple[bytes, str, str | None]:
    """Body, address and declared charset of the page at an address or in a file; a file's address is made up.

    `advice` goes with the error for what is neither.
    """
    if page.startswith(("http://", "https://")):
        response = client_for(allow).get(page)
        return response.body, response.url, response.charset
    path = Path(page)
    if not path.is_file():
        raise click.ClickException(f"{page} is no address and no file{advice}")
    return path.read_bytes(), f"https://file.invalid/{path.name}", None
