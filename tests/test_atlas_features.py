"""A feature's card and the list of features, in a real browser: every control."""

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from atlas_browser import FIRST, IN_BROWSER, shown, title
from atlas_run import DEAD, RESEEDED

pytestmark = IN_BROWSER


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


@pytest.mark.parametrize("address", ["#/vit/ffn/1/999", "#/vit/ffn/1/3.5", "#/vit/ffn/1/%"])
def test_a_feature_that_is_not_there_leads_to_the_first(open_page, address):
    page = open_page(address)
    assert title(page) == "vit · ffn · block 1 · feature 3"
    assert "no such feature" in page.locator("#said").inner_text()
