"""A strict reader of our pages, for the tests. It raises errors that a browser would forgive."""

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """A page.

    Attributes:
        source: The HTML.
        text: The text, with single spaces.
        tags: (name, attributes) of each element, in order.
        rows: The text of the cells of each table row.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        self.text = " ".join("".join(self._text).split())
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), "an id appears twice"

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute appears twice: {tag} {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag in ("td", "th", "p", "pre", "dd", "dt", "li", "h1", "h2", "h3", "small", "div"):
            self._text.append(" ")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open[-1:] == [tag], f"</{tag}> closes {self._open[-3:]} at {self.getpos()}"
        self._open.pop()

    def handle_data(self, data):
        if {"style", "script"} & set(self._open):
            return
        self._text.append(data)
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element with this tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def assert_self_contained(self) -> None:
        """Assert that the page fetches nothing and runs nothing."""
        assert not self.all("script") + self.all("link") + self.all("iframe")
        for tag, attributes in self.tags:
            for name, value in attributes.items():
                assert not name.startswith("on"), f"{tag} {name}"
                if name == "src":
                    assert value.startswith("data:image/"), value
                if name in ("href", "xlink:href"):
                    assert not value.startswith(("http:", "https:", "//", "javascript:")), value
        for scheme in ("http://", "https://", "url(", "@import"):
            for part in self.source.split(scheme)[1:]:
                allowed = part.startswith(("www.w3.org/", "#"))
                assert allowed, f"{scheme}{part[:60]}"
