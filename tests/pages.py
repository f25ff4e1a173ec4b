"""What a web page links to."""

from html.parser import HTMLParser
from pathlib import Path


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def lead_nowhere(page: Path) -> list[str]:
    """The addresses in ``page`` at which there is no file beside it and no place in it; also those in the network."""
    found = _Links()
    found.feed(page.read_text())
    assert found.links, f"{page} has no links"
    places = {f"#{name}" for name in found.ids}
    return [link for link in found.links if link not in places and not (page.parent / link.partition("#")[0]).is_file()]
