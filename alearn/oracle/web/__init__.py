"""oracle=web: people answer on a web page, which the trial's own process serves while the trial runs.

channel   the server, and the trial's side of it
app       HTTP requests; guard checks who may talk to the page, form checks what a request may contain
room      what people see and what they may do, in the page's words; standing is what they see of the trial's numbers
desk      who gets which image; alike finds images that look alike
page/     what the browser loads: no framework, no build step, nothing from other hosts
"""

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from alearn.config.oracle_config import Oracle
from alearn.oracle.context import Context, ask_people
from alearn.oracle.people import People
from alearn.registry import register_oracle


class WebOracle(Oracle):
    """People answer on a page in their browsers."""

    name: Literal["web"] = "web"
    host: str = "127.0.0.1"
    """Address to serve the page at. People on other machines can reach any address but a loopback one; they then need
    the token in the link."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    """Port to serve the page at; 0 takes any free one."""
    names: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further host names under which people may reach the page, e.g. behind a proxy. They then need the token, too."""
    ahead: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Queries that stay open while the model learns, so that people need not wait. 0: they wait, and a resumed trial
    ends with the same labels as an undisturbed one. auto: 8 with train=head, which learns in a second, else 0."""


@register_oracle("web", WebOracle, simulated=False, free=("host", "port", "names", "ahead"))
def web(config: WebOracle, context: Context) -> People:
    """Serve the page and ask people there."""
    from alearn.oracle.web.channel import Web

    return ask_people(context, partial(Web, config), 0 if config.ahead == "auto" else config.ahead)
