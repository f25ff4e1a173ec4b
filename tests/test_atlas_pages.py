"""The atlas in a real browser, from disk: every control, no error, no request that leaves the disk."""

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from atlas_run import DEAD, RESEEDED, STRIPED, TWIN, WIDTH, WORDS, held, made_atlas
from PIL import Image

from vitexplore.claims.page import ATLAS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the pages are not tried")
pytestmark = [
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
def run(tmp_path_factory) -> Path:
    """The results' folder of a made run with its atlas, and a claims page that leads there."""
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
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(run, browser):
    """Opens an address of the atlas. In the end nothing was said to the console, and every request was for a file of
    the run that is there."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    def go(address="", page_of="atlas/index.html"):
        page.goto(f"{(run / page_of).as_uri()}{address}")
        page.wait_for_function(
            "document.documentElement.dataset.shown === location.hash && !!document.querySelector('main > *')"
        )
        return page

    page.asked = asked
    yield go
    keep(page, os.environ["PYTEST_CURRENT_TEST"])
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((run.as_uri(), "data:", "blob:"))] == []
    assert [url for url in asked if url.startswith("file:") and not Path(unquote(urlparse(url).path)).is_file()] == []


def keep(page, test):
    if SHOTS:
        name = re.sub(r"\W+", "_", test.partition("::")[2].partition(" ")[0])
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def shown(page, address):
    """Wait until an address is on screen."""
    page.wait_for_function("address => document.documentElement.dataset.shown === address", arg=address, timeout=5000)


def title(page):
    return page.locator("h2").first.inner_text()


def test_the_first_feature_is_on_screen_in_a_megabyte(open_page):
    page = open_page()
    assert title(page) == "vit · ffn · block 1 · feature 3"
    page.wait_for_load_state("networkidle")
    files = {Path(unquote(urlparse(url).path)) for url in page.asked if url.startswith("file:")}
    assert sum(path.stat().st_size for path in files) < 1e6
    assert page.locator(".top img").count() == 10 and page.locator(".top .map").count() == 10
    assert page.evaluate("[...document.querySelectorAll('.top img')].every(i => i.complete && i.naturalWidth > 0)")
    assert page.locator("img:not([alt])").count() == 0
    assert "Image 1 of the best:" in page.locator(".top img").first.get_attribute("alt")


def test_a_map_lies_over_its_image_as_the_model_saw_it(open_page):
    page = open_page("#/cnn/channel/0/2")
    image, laid = (page.locator(f".top .picture {of}").first.bounding_box() for of in ("img", ".map"))
    assert laid["width"] == pytest.approx(0.75 * image["width"], abs=1)  # the crop
    assert laid["x"] - image["x"] == pytest.approx(image["width"] / 8, abs=1)


def test_search_finds_a_word_and_a_number(open_page):
    page = open_page("#/vit/ffn/0/0")
    page.keyboard.press("/")
    page.keyboard.type("striped")
    page.keyboard.press("Enter")
    shown(page, "#/vit/ffn/1/3?q=striped")
    assert "features for “striped”" in page.locator("#found").inner_text()
    assert page.locator(".list .feature").first.get_attribute("href").startswith("#/vit/ffn/1/3")
    page.fill("#search", "vit 2.17")
    page.click("#find button")
    shown(page, "#/vit/ffn/2/17?q=vit+2.17")
    assert page.locator("#found").inner_text().startswith("1 features")
    page.fill("#search", "nothing like it")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Nothing fits")
    page.click("text=Take the filters away")
    page.wait_for_selector("text=70 features")


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("explained", "stripes", 1),
        ("claim", "ffn_over_qkv", 2),
        ("dead", "hide", 68),
        ("dead", "only", 2),
        ("drawn", "only", 2),
    ],
)
def test_a_filter_narrows_the_list_and_stands_in_the_address(open_page, name, value, count):
    page = open_page(FIRST)
    page.click("summary:has-text('Filters')")
    page.select_option(f"select[name={name}]", value)
    shown(page, f"{FIRST}?{name}={value}")
    assert page.locator("#found").inner_text() == f"{count} features"
    assert open_page(f"{FIRST}?{name}={value}").locator("#found").inner_text() == f"{count} features"


@pytest.mark.parametrize(("name", "count"), [("purity", 1), ("identification", 2)])
def test_a_least_score_narrows_the_list(open_page, name, count):
    page = open_page(FIRST)
    page.click("summary:has-text('Filters')")
    page.locator(f"input[name={name}]").evaluate(
        "input => { input.value = 0.5; input.dispatchEvent(new Event('change')); }"
    )
    shown(page, f"{FIRST}?{name}=0.5")
    assert page.locator(".list .feature").count() == count


def test_the_list_looks_farther_and_in_another_order(open_page):
    page = open_page(FIRST)
    for scope, count in (("site", 210), ("model", 216), ("all", 232), ("block", 70)):
        page.select_option("select[name=in]", scope)
        page.wait_for_selector(f"text={count} features")
    page.select_option("select[name=sort]", "strongest")
    shown(page, f"{FIRST}?in=block&sort=strongest")
    assert page.locator(".list .feature").count() >= 60
    lines = [float(text.split("·")[1]) for text in page.locator(".list .line").all_inner_texts()]
    assert lines == sorted(lines, reverse=True)
    page.select_option("select[name=order]", "up")
    shown(page, f"{FIRST}?in=block&sort=strongest&order=up")
    page.click("#more")
    page.wait_for_function("document.querySelectorAll('.list .feature').length === 70")
    page.select_option("select[name=model]", "cnn")
    shown(page, "#/cnn/channel/1/3?in=block&sort=strongest&order=up")
    page.select_option("select[name=block]", "0")
    shown(page, "#/cnn/channel/0/3?in=block&sort=strongest&order=up")
    page.select_option("select[name=model]", "vit")
    page.select_option("select[name=site]", "query")
    shown(page, "#/vit/query/1/3?in=block&sort=strongest&order=up")


def test_keys_lead_through_features_and_blocks(open_page):
    page = open_page(FIRST)
    for key, address in (
        ("ArrowRight", "#/vit/ffn/1/4"),
        ("ArrowLeft", "#/vit/ffn/1/3"),
        ("ArrowDown", "#/vit/ffn/2/3"),
        ("ArrowUp", "#/vit/ffn/1/3"),
        ("c", "#/vit/ffn/1/3?pins=vit:ffn:1:3"),
        ("c", "#/vit/ffn/1/3"),
        ("b", "#/vit/ffn/1/3?map=0"),
        ("b", "#/vit/ffn/1/3"),
    ):
        page.keyboard.press(key)
        shown(page, address)
    page.keyboard.press("r")
    page.wait_for_function("location.hash !== '#/vit/ffn/1/3'")
    page.keyboard.press("?")
    assert page.locator("dialog#keys[open]").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#keys").is_visible()
    page.click("#help")
    page.click("dialog button")
    assert not page.locator("dialog#keys").is_visible()


def test_buttons_do_what_keys_do(open_page):
    page = open_page(FIRST)
    for label, address in (
        ("Next feature", "1/4"),
        ("Feature before", "1/3"),
        ("Next block", "2/3"),
        ("Block before", "1/3"),
    ):
        page.click(f"button[aria-label^='{label}']")
        shown(page, f"#/vit/ffn/{address}")
    page.click("#bare")
    shown(page, f"{FIRST}?map=0")
    assert page.locator(".top .map").first.evaluate("map => getComputedStyle(map).opacity") == "0"
    page.locator("#opacity").evaluate(
        "input => { input.value = 40; for (const of of ['input', 'change']) input.dispatchEvent(new Event(of)); }"
    )
    shown(page, f"{FIRST}?map=40")
    page.locator(".top .picture").first.hover()
    page.wait_for_function("getComputedStyle(document.querySelector('.top .map')).opacity === '1'")


def test_recipes_are_toggled(open_page):
    page = open_page(FIRST)
    first = page.locator(".drawing .drawn").evaluate("drawn => drawn.style.backgroundImage")
    page.click(".drawing button:has-text('fast')")
    shown(page, f"{FIRST}?recipe=fast")
    assert "_fast_0.webp" in page.locator(".drawing .drawn").evaluate("drawn => drawn.style.backgroundImage") != first
    dead = open_page(f"#/vit/ffn/1/{DEAD[3]}")
    assert "Dead: the optimizer" in dead.locator(".drawing").inner_text()


def test_seeds_are_toggled_where_there_are_several(open_page):
    page = open_page(f"#/{'/'.join(map(str, RESEEDED))}")
    place = "drawn => drawn.style.backgroundPosition"
    first = page.locator(".drawing .drawn").evaluate(place)
    assert page.locator("[aria-label=Seed] button").all_inner_texts() == ["seed 0", "seed 1"]
    page.click("[aria-label=Seed] button:has-text('seed 1')")
    page.wait_for_function("location.hash.endsWith('?recipe=portrait&seed=1')")
    page.wait_for_selector("[aria-label=Seed] [aria-pressed=true]:has-text('seed 1')")
    assert page.locator(".drawing .drawn").evaluate(place) != first
    assert "seed 1" in page.locator(".drawing .drawn").get_attribute("aria-label")
    assert "Dead: the optimizer" in page.locator(".drawing").inner_text()
    assert open_page(FIRST).locator("[aria-label=Seed]").count() == 0


def test_from_a_claim_to_an_image_and_back(open_page, run):
    page = open_page("#claims/background")
    page.wait_for_selector("h3:has-text('Images that speak least for it')")
    claim = next(each for each in held(run / "atlas", "catalog")["claims"] if each["name"] == "background")
    image, number = claim["images"]["most"][0]
    page.locator("section:has(> h3:text('speak most')) .picture").first.click()
    page.wait_for_selector(f"h2:text-is('Image {image}')")
    assert f"{number:g}: share of the ViTs" in page.locator(".input .claims").inner_text()
    page.click(".input .claims a:has-text('ViTs make more of the background')")
    shown(page, "#claims/background")
    assert "Images that speak" not in open_page("#claims/isolated_cls").locator("main").inner_text()


def test_a_query_has_neighbours_and_no_map_of_the_chosen_image(open_page):
    page = open_page("#/vit/query/1/2")
    assert page.locator(".near .feature").count() > 0
    assert page.locator(".histogram").count() == 1
    page = open_page("#compare?pins=vit:query:1:2,vit:ffn:1:3")
    first, second = (page.locator(".columns article").nth(number).inner_text() for number in range(2))
    assert "Not kept at this site." in first and "Not kept" not in second


def test_two_models_are_compared_under_the_same_image(open_page):
    page = open_page("#/" + "/".join(map(str, STRIPED)))
    page.click("#pin")
    page.wait_for_function("document.getElementById('pinned').textContent === '1'")
    page.click(".near a[href^='#/cnn/channel/0/2']")  # the neighbour that does the same
    page.wait_for_selector("h2:has-text('cnn · channel · block 0 · feature 2')")
    page.keyboard.press("c")
    page.wait_for_function("document.getElementById('pinned').textContent === '2'")
    page.click("nav a:has-text('Compare')")
    page.wait_for_selector(".columns article")
    assert page.locator(".columns h3").all_inner_texts() == ["vit ffn 1.3", "cnn channel 0.2"]
    page.locator(".choices button").nth(2).click()
    page.wait_for_function("location.hash.includes('image=')")
    wanted = page.locator(".choices [aria-pressed=true] img").get_attribute("src")
    under = page.locator(".columns article > figure img")
    assert [under.nth(number).get_attribute("src") for number in range(2)] == [wanted, wanted]
    again = open_page(page.evaluate("location.hash"))
    assert again.locator(".columns h3").count() == 2
    page.click("text=Unpin cnn channel 0.2")
    page.wait_for_selector("text=1 pinned so far")
    page.click("text=Back to the features")
    page.wait_for_selector(".card")


def test_four_pins_are_the_most(open_page):
    pins = ",".join(f"vit:ffn:0:{feature}" for feature in range(4))
    page = open_page(f"{FIRST}?pins={pins}")
    page.keyboard.press("c")
    page.wait_for_selector("text=4 features are pinned")
    assert open_page(f"#compare?pins={pins}").locator(".columns article").count() == 4


def test_an_image_tells_what_fires_where_one_points(open_page):
    page = open_page("#images")
    stage = page.locator(".stage")
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.wait_for_selector(".firing .feature")
    first = page.locator(".firing").inner_text()
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + box["height"] - 10)
    page.wait_for_function("before => document.querySelector('.firing').innerText !== before", arg=first)
    page.locator(".firing .feature").first.focus()
    assert page.locator(".laid .map").count() == 1
    stage.click(position={"x": 20, "y": 20})
    page.wait_for_function("location.hash.includes('at=')")
    stage.focus()
    held = page.evaluate("location.hash")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => location.hash !== before", arg=held)
    place = page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('at')")
    page.select_option("select[name=model]", "cnn")
    page.wait_for_selector(".firing a[href^='#/cnn/']")
    assert page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('at')") == place
    page.locator(".choices a").nth(1).click()
    page.wait_for_function("document.querySelector('.choices a:nth-child(2)')?.getAttribute('aria-current') === 'true'")
    page.locator(".firing .feature").first.click()
    page.wait_for_selector(".card")
    page.locator(".top .picture").first.click()
    page.wait_for_selector("h2:has-text('Image ')")


def test_what_fires_is_what_the_data_say(open_page, run):
    page = open_page("#images?at=0:0")
    image = re.search(r"\d+", title(page))[0]
    at = held(run / "atlas", f"firing/vit/{image}")["ffn_0"]["at"][0]
    page.wait_for_selector(".firing .line")
    lines = page.locator(".firing > div").first.locator(".line").all_inner_texts()
    assert lines == [f"{feature} · {share}%" for feature, share in zip(at[::2], at[1::2], strict=True)]


def test_from_a_feature_to_a_claim_and_back(open_page):
    page = open_page(FIRST)
    page.click(".card .claims a:has-text('Maps of inner features')")
    shown(page, "#claims/maps_localize")
    assert "not seen" in page.locator("main").inner_text()
    page.click("h4 a:has-text('vit ffn, block 1: 70 features')")
    page.wait_for_function("location.hash.endsWith('?claim=maps_localize&sort=object')")
    page.wait_for_selector(".card")
    scores = [float(text.split("·")[1]) for text in page.locator(".list .line").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    page.go_back()
    page.click("text=Its statements")
    page.wait_for_url("**/claims.html#maps_localize")
    page.click("a:has-text('ffn_over_qkv')")
    page.wait_for_selector("h4 a:has-text('vit ffn, block 1: 2 features')")
    page.click("text=All claims")
    page.wait_for_selector("h2:has-text('Claims')")
    assert page.locator(".claims li").count() == len(WORDS)
    page.click(".claims a:has-text('The last block alone')")
    page.wait_for_selector("text=decided by whole images and blocks")


def test_what_is_shown_is_taken_along(open_page, tmp_path):
    page = open_page(f"{FIRST}?drawn=only&sort=purity")
    page.click("#copy")
    page.wait_for_selector("text=Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    with page.expect_download() as csv:
        page.click("#csv")
    csv.value.save_as(tmp_path / "found.csv")
    lines = (tmp_path / "found.csv").read_text().splitlines()
    assert lines[0].startswith("model,site,block,feature,words,") and len(lines) == 3
    assert lines[1].startswith("vit,ffn,1,3,striped thing2 thing3,stripes,striped,striped,")
    with page.expect_download() as whole:
        page.click("#json")
    whole.value.save_as(tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["features"][0]["feature"] == 3 and len(found["found"]) == 2
    assert found["features"][0]["near"]["cnn"][0][:3] == list(TWIN[1:])


@pytest.mark.parametrize("view", ["images", "claims"])
def test_in_views_of_no_feature_the_last_one_is_taken_along(open_page, tmp_path, view):
    page = open_page(FIRST)
    page.click(f"nav a[data-view={view}]")
    page.wait_for_selector(f"nav a[data-view={view}][aria-current]")
    for kind, rows in (("csv", WIDTH["vit"] + 1), ("json", None)):
        with page.expect_download() as taken:
            page.click(f"#{kind}")
        taken.value.save_as(tmp_path / f"taken.{kind}")
        if rows:
            assert len((tmp_path / "taken.csv").read_text().splitlines()) == rows
    found = json.loads((tmp_path / "taken.json").read_text())
    assert [(each["model"], each["feature"]) for each in found["features"]] == [("vit", 3)]


@pytest.mark.parametrize("address", ["#/vit/ffn/1/999", "#/vit/ffn/1/3.5", "#/vit/ffn/1/%"])
def test_a_feature_that_is_not_there_leads_to_the_first(open_page, address):
    page = open_page(address)
    assert title(page) == "vit · ffn · block 1 · feature 3"
    assert "no such feature" in page.locator("#said").inner_text()


def test_dark_and_light_are_kept(open_page):
    page = open_page(FIRST)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload()
    page.wait_for_selector(".card")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


PAGES = [
    FIRST,
    "#/vit/query/1/2",
    f"#compare?pins={':'.join(map(str, STRIPED))},{':'.join(map(str, TWIN))}",
    "#images?at=50:50",
]
PAGES += ["#claims", "#claims/maps_localize", "#claims/background", "#compare"]


@pytest.mark.parametrize("address", PAGES)
def test_a_phone_needs_no_scrolling_sideways(open_page, address):
    page = open_page(address)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(("scheme", "pages"), [("light", PAGES), ("dark", PAGES[:1])])
def test_axe_finds_nothing_serious(open_page, scheme, pages):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed: not tried"
    ).Axe()
    for address in pages:
        page = open_page(address)
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(150)
        serious = [
            rule
            for rule in axe.run(page, options={"preload": False}).response["violations"]
            if rule["impact"] in ("serious", "critical")
        ]
        assert [(address, rule["id"], rule["nodes"][0]["html"]) for rule in serious] == []
