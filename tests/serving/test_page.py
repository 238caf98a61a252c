"""The page in a real browser: rate, look at the answer, drag, remove, load a real user, copy the request."""

import shlex
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest

from likely.data.records import Labels
from likely.serving.app import make_app
from likely.serving.catalogue import Catalogue
from servers import running

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, as in apt install chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NASTY = '<img src=x onerror=alert(1)>\x1b\u202e & "quotes"'


@pytest.fixture(scope="module")
def with_nasty_title(served):
    """The run, one of its titles such as anybody's data may hold."""
    rows = [dict(row) for row in served.catalogue.rows]
    rows[5]["title"] = NASTY
    movies = [replace(movie, title=row["title"]) for movie, row in zip(served.catalogue.movies, rows, strict=True)]
    return replace(served, catalogue=Catalogue(rows, movies, [row["title"].lower() for row in rows]))


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, with_nasty_title):
    with opened(browser, with_nasty_title, "Find movies") as page:
        yield page


@contextmanager
def opened(browser, served, search):
    """The page at a desktop's width; whatever the browser complains of fails the test."""
    complaints = []
    with running(make_app(served)) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: complaints.append("a dialog"))
        page.goto(address)
        page.get_by_role("combobox", name=search).wait_for()
        yield page
        context.close()
    assert complaints == []


def titles(page, list_id):
    return page.locator(f"#{list_id} .title").all_inner_texts()


def shown(title):
    return title.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")


def rate(page, title, search="Find movies"):
    """Type a title, choose it with the keyboard, and wait until the answer is there."""
    box = page.get_by_role("combobox", name=search)
    box.fill(title)
    page.locator("#found[hidden]").wait_for(state="detached")
    page.locator("#found .title", has_text=title.split()[0]).first.wait_for()
    with page.expect_response("**/v1/rank") as answered:
        box.press("Enter")
    return answered.value.json()


def test_rating_by_keyboard_alone_and_reading_the_answer(page, with_nasty_title):
    first, second = (with_nasty_title.catalogue.rows[place]["title"] for place in (8, 9))
    rate(page, first)
    answer = rate(page, second)
    assert titles(page, "history") == [first, second]
    page.locator("#ranked:not(.stale)").wait_for()
    assert titles(page, "ranked") == [shown(row["title"]) for row in answer["ranked"]]
    assert not {first, second} & set(titles(page, "ranked"))
    best = answer["ranked"][0]
    bars = page.locator("#ranked li").first.get_by_role("img")
    told = f"P(Yes): finetuned {round(best['p_yes'] * 100)} %, base model {round(best['base_p_yes'] * 100)} %"
    assert bars.get_attribute("aria-label") == told
    assert page.locator("#legend-answer").is_hidden()
    slider = page.get_by_role("slider").nth(1)  # which has the focus after it was added
    assert slider.evaluate("one => one === document.activeElement")
    with page.expect_request("**/v1/rank") as asked:
        page.keyboard.press("ArrowDown")
    assert asked.value.post_data_json["history"][1]["rating"] == 3.5
    assert slider.get_attribute("aria-valuetext") == "3.5 of 5 stars"
    page.locator("#history .handle").nth(1).focus()
    with page.expect_request("**/v1/rank") as asked:
        page.keyboard.press("ArrowUp")
    assert [row["title"] for row in asked.value.post_data_json["history"]] == [second, first]
    with page.expect_request("**/v1/rank"):
        page.get_by_role("button", name=f"Remove {second}").press("Enter")
    assert titles(page, "history") == [first]


BARS = {"answer": "answer", "finetuned": "p_yes", "base": "base_p_yes"}
"""Kinds of bars of a line, from the first to the last, and what the server calls the figure of each."""


def drawn_bars(line):
    """Kind, filled share of the track and text of each bar of a line."""
    return line.evaluate(
        """(line) => [...line.querySelectorAll(".bar")].map((bar) => {
            const track = bar.querySelector(".track");
            const [filled] = track.children;
            const share = filled.getBoundingClientRect().width / track.getBoundingClientRect().width;
            return [filled.className, share, bar.querySelector(".percent").textContent];
        })"""
    )


def test_the_bars_are_what_the_server_says_the_answer_of_the_run_first(browser, answering):
    with opened(browser, answering, "Find movies") as page:
        page.emulate_media(reduced_motion="reduce")  # bars have their width at once
        for place in (8, 9):
            rate(page, answering.catalogue.rows[place]["title"])
        with page.expect_request("**/v1/rank") as asked:
            page.get_by_role("slider").first.press("Home")
        page.locator("#ranked:not(.stale)").wait_for()
        said = page.request.post(f"{page.url}v1/rank", data=asked.value.post_data_json).json()["ranked"]
        assert [row["answer"] for row in said] == sorted((row["answer"] for row in said), reverse=True)
        assert titles(page, "ranked") == [row["title"] for row in said]
        assert page.get_by_text("the run's answer").is_visible()
        for line, row in zip(page.locator("#ranked li").all(), said, strict=True):
            percents = {kind: f"{row[name] * 100:.0f} %" for kind, name in BARS.items()}
            drawn = drawn_bars(line)
            assert [(kind, text) for kind, _, text in drawn] == list(percents.items())
            assert [share for _, share, _ in drawn] == pytest.approx([row[name] for name in BARS.values()], abs=0.01)
            told = "P(Yes): the run's answer {answer}, finetuned {finetuned}, base model {base}"
            assert line.get_by_role("img").get_attribute("aria-label") == told.format(**percents)


def test_rating_and_dragging_by_pointer(page, with_nasty_title):
    rows = with_nasty_title.catalogue.rows[10:13]
    for row in rows:
        rate(page, row["title"])
    stars = page.locator("#history .stars").first
    box = stars.bounding_box()
    with page.expect_request("**/v1/rank") as asked:
        page.mouse.click(box["x"] + box["width"] * 0.31, box["y"] + box["height"] / 2)
    assert asked.value.post_data_json["history"][0]["rating"] == 2
    handle = page.locator("#history .handle").first.bounding_box()
    last = page.locator("#history li").last.bounding_box()
    with page.expect_request("**/v1/rank") as asked:
        page.mouse.move(handle["x"] + 5, handle["y"] + 5)
        page.mouse.down()
        page.mouse.move(handle["x"] + 5, last["y"] + last["height"], steps=6)
        page.mouse.up()
    moved = [rows[1]["title"], rows[2]["title"], rows[0]["title"]]
    assert [row["title"] for row in asked.value.post_data_json["history"]] == moved
    assert titles(page, "history") == moved


def test_a_title_is_text_whatever_it_holds(page):
    answer = rate(page, "<img")
    assert answer["ranked"]
    assert titles(page, "history") == [shown(NASTY)]
    assert page.locator("#history img").count() == 0


def test_a_real_user_and_the_truth_afterwards(page):
    with page.expect_response("**/v1/held-out*") as loaded, page.expect_response("**/v1/rank"):
        page.get_by_role("button", name="Load a real user").click()
    user = loaded.value.json()
    page.locator("#ranked:not(.stale) li").first.wait_for()
    assert len(titles(page, "history")) == len(user["history"])
    assert page.locator("#ranked .verdict").count() == 0
    assert len(titles(page, "ranked")) == len(user["liked"])
    page.get_by_role("button", name="Show what they really thought").click()
    liked = [said == "✓ liked it" for said in page.locator("#ranked .verdict").all_inner_texts()]
    assert (sum(liked), len(liked)) == (sum(user["liked"]), len(user["liked"]))
    assert page.locator("#truth-said").inner_text() == f"User {user['user']} liked {likes_in_words(liked)}"


def test_nobodys_truth_is_shown_on_the_ranking_of_another(page):
    with page.expect_response("**/v1/rank"):
        page.get_by_role("button", name="Load a real user").click()
    show = page.get_by_role("button", name="Show what they really thought")
    show.wait_for()
    page.route("**/v1/rank", lambda route: None)  # the next ranking never comes
    with page.expect_response("**/v1/held-out*"):
        page.get_by_role("button", name="Load a real user").click()
    page.locator("#ranked.stale").wait_for()
    assert not show.is_visible()


def test_an_answer_given_up_while_it_arrives_is_none(page):
    given_up = """async () => {
        const { ask } = await import("./static/api.js");
        const json = () => Promise.reject(new DOMException("", "AbortError"));
        window.fetch = async () => ({ ok: true, json });
        return ask("./v1/rank").then(() => "answered", (error) => error.name);
    }"""
    assert page.evaluate(given_up) == "AbortError"


def likes_in_words(liked):
    """How many of a ranking were liked, and how far up they stand."""
    total = sum(liked)
    if total in (0, len(liked)):
        return f"{'all' if total else 'none'} of these {len(liked)}."
    where = f"number {liked.index(True) + 1}" if total == 1 else f"{sum(liked[:total])} of the first {total}"
    return f"{total} of these {len(liked)}: {where} here."


def test_what_is_copied_asks_the_same(page, with_nasty_title):
    answer = rate(page, with_nasty_title.catalogue.rows[7]["title"])
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_text("Copied.").wait_for()
    words = shlex.split(page.evaluate("navigator.clipboard.readText()").replace("\\\n", ""))
    assert (words[0], words[1]) == ("curl", page.url + "v1/rank")
    told = page.request.post(words[1], headers={"content-type": "application/json"}, data=words[-1]).json()
    for again, before in zip(told["ranked"], answer["ranked"], strict=True):
        assert again["title"] == before["title"]
        assert again["p_yes"] == pytest.approx(before["p_yes"], abs=1e-5)
    page.get_by_role("button", name="Copy as Python").click()
    program = page.locator("#snippet").inner_text()
    printed = []
    exec(compile(program, "snippet", "exec"), {"print": printed.append})
    assert [line.split("  ", 1)[1] for line in printed] == [row["title"] for row in answer["ranked"]]


def test_the_key_is_asked_for_and_the_interface_described(browser, served):
    with running(make_app(served, "sesame")) as address:
        page = browser.new_page(viewport={"width": 375, "height": 700}, color_scheme="dark")
        page.goto(address)
        page.get_by_label("Key of this server").fill("sesame")
        page.get_by_role("button", name="Use it").click()
        page.get_by_role("combobox", name="Find movies").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.goto(f"{address}/docs")
        page.get_by_role("heading", name="POST /v1/rank").wait_for()
        assert "label_token_ids" in page.locator("#operations").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.close()


def test_a_run_of_books_is_spoken_of_rated_and_copied_as_such(browser, books):
    with opened(browser, books, "Find books") as page:
        assert page.get_by_role("heading", level=1).inner_text() == "Will you like this book?"
        assert "A like is a rating of 7 or more, on a scale from 1 to 10." in page.locator("#about").inner_text()
        assert "load a real user" in page.locator("#history-hint").inner_text()
        book = books.catalogue.rows[4]
        rate(page, book["title"], "Find books")
        slider = page.get_by_role("slider", name=f"Your rating of {book['title']} ({book['year']})")
        assert slider.get_attribute("aria-valuetext") == "7 of 10"  # the lowest that is a like
        with page.expect_response("**/v1/rank") as answered:
            slider.press("ArrowRight")
        asked = answered.value.request.post_data_json["history"]
        assert asked == [{"title": book["title"], "year": book["year"], "authors": book["authors"], "rating": 8}]
        assert page.locator("#history .number").inner_text() == "8 of 10"
        with page.expect_request("**/v1/rank") as ended:
            slider.press("Home")
        assert ended.value.post_data_json["history"][0]["rating"] == 1
        page.locator("#ranked:not(.stale) li").first.wait_for()
        best = answered.value.json()["ranked"][0]
        assert best["authors"]
        assert page.locator("#ranked .details").count() == len(titles(page, "ranked"))
        assert "20 books ranked, the best 10 shown." in page.locator("#status").inner_text()
        assert "movie" not in page.locator("body").inner_text()
        page.get_by_role("button", name="Copy as Python").click()
        program = page.locator("#snippet").inner_text()
        assert f'"authors": ["{book["authors"][0]}"]' in program
        printed = []
        exec(compile(program, "snippet", "exec"), {"print": printed.append})
        assert len(printed) == 10


def test_a_real_reader_of_books_and_the_truth(browser, books):
    with opened(browser, books, "Find books") as page:
        with page.expect_response("**/v1/held-out*") as loaded, page.expect_response("**/v1/rank") as answered:
            page.get_by_role("button", name="Load a real user").click()
        user = loaded.value.json()
        assert answered.value.request.post_data_json["candidates"] == user["candidates"]
        page.locator("#ranked:not(.stale) li").first.wait_for()
        shown = [said.removesuffix(" of 10") for said in page.locator("#history .number").all_inner_texts()]
        assert [float(said) for said in shown] == [row["rating"] for row in user["history"]]
        page.get_by_role("button", name="Show what they really thought").click()
        liked = {row["id"] for row, yes in zip(user["candidates"], user["liked"], strict=True) if yes}
        verdicts = page.locator("#ranked .verdict").all_inner_texts()
        truth = [row["id"] in liked for row in answered.value.json()["ranked"]]
        assert [verdict == "✓ liked it" for verdict in verdicts] == truth


SCALES = [
    ((1.0, 5.0), 3.5, 2, "4 of 5 stars", "2 of 5 stars"),
    ((1.0, 5.0), 4, 2.5, "4 of 5 stars", "2.5 of 5 stars"),
    ((0.5, 5.0), 3.2, 5, "3.5 of 5 stars", "5 of 5 stars"),
    ((-10.0, 10.0), 2, -3.25, "2 of 10", "-3.25 of 10"),
    ((0.0, 1.0), 1, 0, "1 of 1", "0 of 1"),
    ((0.0, 100.0), 70.5, 33.3, "71 of 100", "33.3 of 100"),
]


def test_a_scale_has_the_step_that_fits(page):
    """A title begins with the lowest rating that is a like; a rating that is loaded is shown as it is."""
    for scale, threshold, rating, first, second in SCALES:
        said = page.evaluate(
            """async ([scale, threshold, rating]) => {
                const { firstRating, makeRating } = await import("./static/rating.js");
                const run = { shows: "rating", verb: "rated", unit: "", scale, like_threshold: threshold };
                const told = (value) => makeRating(value, "it", run, () => {}).querySelector("input");
                return [firstRating(run), rating].map((one) => told(one).getAttribute("aria-valuetext"));
            }""",
            [scale, threshold, rating],
        )
        assert said == [first, second], scale


def in_words(books, threshold, **words):
    """The run of books as if it had been trained on what users did with games, and answered Buy or Skip."""
    task = books.ranker.task
    spoken = replace(task.words, noun="game", plural="", details="authors", lowest=0, highest=1, **words)
    task = replace(task, words=spoken, protocol=replace(task.protocol, like_threshold=threshold))
    builder = replace(books.run.builder, labels=Labels("Buy", "Skip"))
    run, ranker = replace(books.run, builder=builder), replace(books.ranker, task=task)
    return replace(books, run=run, ranker=ranker, held_out=None)


def test_a_run_of_hours_asks_for_hours(browser, books):
    played = in_words(books, 10, shows="quantity", verb="played", unit="hours")
    game = played.catalogue.rows[4]
    with opened(browser, played, "Find games") as page:
        assert "A like is 10 hours or more." in page.locator("#about").inner_text()
        assert page.locator("#legend-label").inner_text() == "P(Buy)"
        answer = rate(page, game["title"], "Find games")
        assert answer["ranked"]
        box = page.get_by_role("spinbutton", name="played Volume")
        assert box.evaluate("one => one === document.activeElement")
        assert box.input_value() == "10"
        with page.expect_response("**/v1/rank") as answered:
            box.fill("312.5")
        assert answered.value.status == 200
        assert answered.value.request.post_data_json["history"][0]["rating"] == 312.5
        box.fill("-1")
        assert box.get_attribute("aria-invalid") == "true"
        check_words(page)


def test_a_run_of_labels_asks_which(browser, books):
    liked = in_words(books, 1, shows="label", verb="bought")
    with opened(browser, liked, "Find games") as page:
        assert "Buy means: bought." in page.locator("#about").inner_text()
        rate(page, liked.catalogue.rows[4]["title"], "Find games")
        box = page.get_by_role("checkbox")
        assert box.is_checked()
        with page.expect_response("**/v1/rank") as answered:
            box.press("Space")
        assert answered.value.status == 200
        assert answered.value.request.post_data_json["history"][0]["rating"] == 0
        assert page.locator("#history .amount").inner_text() == "not bought"
        check_words(page)


def test_a_run_that_knows_what_was_taken_and_no_more_asks_for_nothing_else(browser, books):
    taken = in_words(books, 1, shows="nothing", verb="bought")
    with opened(browser, taken, "Find games") as page:
        assert page.get_by_role("heading", level=1).inner_text() == "Is this the game you bought next?"
        assert page.get_by_role("heading", name="Most likely next").is_visible()
        with page.expect_response("**/v1/rank") as answered:
            rate(page, taken.catalogue.rows[4]["title"], "Find games")
        assert answered.value.status == 200
        assert "rating" not in answered.value.request.post_data_json["history"][0]
        assert page.locator("#history input").count() == 0
        page.get_by_role("combobox", name="Find games").press("Escape")
        with page.expect_request("**/v1/rank"):
            page.get_by_role("button", name="Add Volume").first.click()
        assert len(titles(page, "history")) == 2
        check_words(page)


def check_words(page):
    """Nothing on the page is a rating, a star or a movie."""
    page.locator("#ranked:not(.stale) li").first.wait_for()
    assert page.get_by_role("slider").count() == 0
    said = page.locator("body").inner_text().lower()
    assert not [word for word in ("rating", "rate ", "rated", "star", "movie", "book") if word in said]
