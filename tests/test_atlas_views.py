"""Comparison, images, claims and what all views share, in a real browser: every control."""

import json
import re

import pytest
from atlas_browser import FIRST, IN_BROWSER, shown, title
from atlas_run import STRIPED, TWIN, WIDTH, WORDS, held

pytestmark = IN_BROWSER


def test_from_a_claim_to_an_image_and_back(open_page, made_results):
    page = open_page("#claims/background")
    page.wait_for_selector("h3:has-text('Images that speak least for it')")
    claim = next(each for each in held(made_results / "atlas", "catalog")["claims"] if each["name"] == "background")
    image, number = claim["images"]["most"][0]
    page.locator("section:has(> h3:text('speak most')) .picture").first.click()
    page.wait_for_selector(f"h2:text-is('Image {image}')")
    assert f"{number:.3g}: share of the ViTs" in page.locator(".input .claims").inner_text()
    page.click(".input .claims a:has-text('Every ViT makes more of the background')")
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


def test_another_view_begins_at_its_top_and_the_next_feature_where_the_last_was_read(open_page):
    page = open_page("#/vit/ffn/1/3")
    page.set_viewport_size({"width": 900, "height": 300})
    page.evaluate("scrollTo(0, 200)")
    page.keyboard.press("ArrowRight")
    shown(page, "#/vit/ffn/1/4")
    assert page.evaluate("scrollY") == 200
    page.click("nav a:has-text('Claims')")
    page.wait_for_function("location.hash.startsWith('#claims') && scrollY === 0")


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


def test_what_fires_is_what_the_data_say(open_page, made_results):
    page = open_page("#images?at=0:0")
    image = re.search(r"\d+", title(page))[0]
    at = held(made_results / "atlas", f"firing/vit/{image}")["ffn_0"]["at"][0]
    page.wait_for_selector(".firing .line")
    lines = page.locator(".firing > div").first.locator(".line").all_inner_texts()
    assert lines == [f"{feature} · {share}%" for feature, share in zip(at[::2], at[1::2], strict=True)]


def test_from_a_feature_to_a_claim_and_back(open_page):
    page = open_page(FIRST)
    page.click('.card .claims a:has-text("A feature\'s map finds")')
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
    page.click(".claims a:has-text('CLS gathers what it needs')")
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
