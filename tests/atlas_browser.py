"""A plugin of fixtures: the atlas in a real browser, from disk; no error, no request that leaves the disk."""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from PIL import Image

from vitexplore.claims.page import ATLAS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
IN_BROWSER = [  # the marks of a module that tries pages
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="there is no Chromium: install the package chromium; pages are not tried"
    ),
]
# as root in a container; and nothing that asks the network by itself
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SHOTS = os.environ.get("ATLAS_SCREENSHOTS")  # a folder in which pictures of each page are kept
FIRST = "#/vit/ffn/1/3"


@pytest.fixture(scope="module")
def made_results(tmp_path_factory) -> Path:
    """The results' folder of a made run with its atlas, and a claims page that leads there."""
    from atlas_run import WORDS, held, made_atlas  # not for every session of pytest

    with made_atlas(tmp_path_factory.mktemp("pages")) as (results, _):
        links = "".join(f'<a href="{ATLAS}#claims/{name}">{name}</a>' for name in WORDS)
        (results / "claims.html").write_text(f"<!doctype html><title>Claims</title><section id=maps_localize>{links}")
        (results / "tables").mkdir()
        (results / "tables/claim_maps_localize.csv").write_text("model\n")
        (results / "figures").mkdir()
        for claim in held(results / "atlas", "catalog")["claims"]:
            for figure in claim["figures"]:
                Image.new("RGB", (40, 20)).save(results / "atlas" / figure)
        yield results


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: the pages are not tried"
    )
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(made_results, browser):
    """Opens an address of the atlas. In the end nothing was said to the console, and every request was for a file of
    the run that is there."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    def go(address="", page_of="atlas/index.html"):
        page.goto(f"{(made_results / page_of).as_uri()}{address}")
        page.wait_for_function(
            "document.documentElement.dataset.shown === location.hash && !!document.querySelector('main > *')"
        )
        return page

    page.asked = asked
    yield go
    keep_picture(page, os.environ["PYTEST_CURRENT_TEST"])
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((made_results.as_uri(), "data:", "blob:"))] == []
    assert [url for url in asked if url.startswith("file:") and not Path(unquote(urlparse(url).path)).is_file()] == []


def keep_picture(page, test):
    """Keep a picture of the whole page, named by its test, if a folder for pictures is given."""
    if SHOTS:
        name = re.sub(r"\W+", "_", test.partition("::")[2].partition(" ")[0])
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def shown(page, address):
    """Wait until an address is on screen."""
    page.wait_for_function("address => document.documentElement.dataset.shown === address", arg=address, timeout=5000)


def title(page):
    """Read a page's first heading."""
    return page.locator("h2").first.inner_text()
