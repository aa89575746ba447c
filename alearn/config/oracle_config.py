"""The `oracle` group: who answers for the human."""

from typing import Annotated, Literal

from pydantic import Field

from alearn.config.section import Section


class TrueOracle(Section):
    """The true labels answer for the human."""

    name: Literal["truth"] = "truth"


class NoisyOracle(Section):
    """The true labels answer for the human, with mistakes."""

    name: Literal["noisy"] = "noisy"
    error: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Probability that an answer is one of the other classes."""


class WebOracle(Section):
    """People answer on a page in their browsers."""

    name: Literal["web"] = "web"
    host: str = "127.0.0.1"
    """Address to serve the page at. People on other machines can reach any address but a loopback one; they then need
    the token in the link."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    """Port to serve the page at; 0 takes any free one."""
    names: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further host names under which people may reach the page, e.g. behind a proxy. They then need the token, too."""


class LabelStudioOracle(Section):
    """People answer in Label Studio."""

    name: Literal["labelstudio"] = "labelstudio"
    url: str | None = None
    """Address of the server, whose key is read from the variable LABEL_STUDIO_API_KEY. null exchanges files instead."""
    project: str | None = None
    """Title of the project, which is created if there is none. null takes the name of the trial's folder."""


SIMULATED = ("truth", "noisy")
"""Names of the oracles that answer by the true labels instead of asking people."""
Oracle = Annotated[TrueOracle | NoisyOracle | WebOracle | LabelStudioOracle, Field(discriminator="name")]
