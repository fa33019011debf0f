"""The page in a real Chromium: typed into, looked at, and held to the rules of axe-core.

Needs `chromium`, `chromedriver` and Selenium; the rules are read from the file that
MATDERIV_AXE names.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from matderiv.serve import PageServer
from tests.serve.test_answers import EXAMPLES
from tests.serve.test_server import SLOW

pytestmark = pytest.mark.heavy

webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
AXE = os.environ.get("MATDERIV_AXE")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
]
NETWORK = next(example for example in EXAMPLES if example["name"] == "Two layers")
DESKTOP, PHONE = (1280, 900), (390, 844)


class Page:
    """The page in a browser, and what a reader sees of it."""

    def __init__(self, driver: Any, server: PageServer) -> None:
        self.driver = driver
        self.url = server.url

    def open(self, size: tuple[int, int] = DESKTOP, scheme: str = "light", **state: Any) -> None:
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}#{urlencode(state, doseq=True)}" if state else self.url)

    def command(self, name: str, options: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(name, options)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def text(self, name: str) -> str:
        return str(self.run("return document.getElementById(arguments[0]).innerText", name))

    def field(self, name: str) -> Any:
        return self.driver.find_element("id", name)

    def write(self, text: str) -> None:
        self.field("source").clear()
        self.field("source").send_keys(text)

    def choose(self, name: str, value: str) -> None:
        self.run(
            "const f = document.getElementById(arguments[0]); f.value = arguments[1];"
            "f.dispatchEvent(new Event('change', { bubbles: true }))",
            name,
            value,
        )

    def wait(self, seen: Callable[[], object], what: str = "") -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 15, poll_frequency=0.05).until(lambda _: seen(), what)

    def settle(self) -> None:
        """Until the whole answer is there."""
        self.wait(lambda: self.field("answer").get_attribute("aria-busy") == "false", "an answer")

    def formula(self) -> str:
        text = self.run("return document.getElementById('formula').textContent")
        return str(text).replace("\u2062", " ")

    def may_copy(self) -> None:
        permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        self.command("Browser.grantPermissions", {"permissions": permissions})


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in [*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield made
    made.quit()


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def page(driver: Any, server: PageServer) -> Iterator[Page]:
    yield Page(driver, server)
    faults = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not faults


def test_the_first_look(page: Page) -> None:
    page.open()
    page.settle()
    assert "checked against finite differences" in page.text("verdict")
    assert page.text("inputs").split("\n")[0] == "X (n, m)"
    height = "return document.querySelector('#formula math').getBoundingClientRect().height"
    assert page.run(height) > 20
    assert page.run("return document.activeElement.id") == "source"
    assert "def value_and_grad" in page.text("source-code")
    assert "2 m n + 2 n - 1 FLOPs" in page.text("totals")
    loaded = page.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert loaded
    assert all(address.startswith(page.url) for address in loaded)


def test_an_answer_follows_what_is_typed(page: Page) -> None:
    page.open()
    page.settle()
    page.write("x' A x")
    page.settle()
    assert page.formula() == "∂f∂x=(A+A⊤) x"
    assert page.run("return new URLSearchParams(location.hash.slice(1)).get('f')") == "x' A x"
    page.choose("order", "2")
    page.settle()
    assert page.formula() == "∂2f∂x2=A+A⊤"
    page.choose("layout", "numerator")
    assert "layout=numerator" in page.driver.current_url


def test_a_fault_is_marked_in_the_editor(page: Page) -> None:
    page.open(f="λ 𝐱 + (A B) x where A: (m, n), B: (m, n)")
    page.wait(lambda: "inner sizes" in page.text("fault"))
    before = "const m = document.querySelector('#marks mark'); return m.previousSibling.data.length"
    # The letter 𝐱 is two units long to the browser.
    assert page.run(before) == len("λ 𝐱 + (A".encode("utf-16-le")) // 2
    assert "try: A' B" in page.text("fault")
    assert page.field("source").get_attribute("aria-invalid") == "true"
    styles = "return ['marks', 'source'].map((id) => { const s = getComputedStyle("
    styles += "document.getElementById(id)); return [s.font, s.padding, s.width, s.whiteSpace] })"
    under, over = page.run(styles)
    assert under == over
    page.write("x' x")
    page.settle()
    assert not page.field("fault").is_displayed()
    assert not page.run("return document.querySelectorAll('#marks mark').length")


def test_what_is_shown_under_a_fault_says_that_it_is_old(page: Page) -> None:
    page.open()
    page.settle()
    page.write("||Xw - ")
    page.wait(lambda: "not of this one" in page.text("verdict"))
    assert "⊤" in page.formula()


def test_a_link_holds_the_whole_state(page: Page) -> None:
    page.open(f=NETWORK["source"], wrt=["w2"], layout="denominator", form="vjp", at=["B=64", "D=8"])
    page.settle()
    chosen = "return Array.from(document.querySelectorAll('#wrt :checked'), (box) => box.value)"
    assert page.run(chosen) == ["w2"]
    assert page.field("layout").get_attribute("value") == "denominator"
    assert page.field("form").get_attribute("value") == "vjp"
    assert page.run("return document.querySelector('#sizes [name=B]').value") == "64"
    link = page.driver.current_url
    page.may_copy()
    page.field("share").click()
    page.wait(lambda: page.text("share") == "Copied")
    assert page.run("return navigator.clipboard.readText()") == link


def test_numbers_for_the_sizes(page: Page) -> None:
    page.open()
    page.settle()
    for name in "nm":
        page.driver.find_element("css selector", f"#sizes [name={name}]").send_keys("1000")
    page.wait(lambda: "2\u202f001\u202f999" in page.text("totals"), page.text("totals"))


def test_code_is_copied(page: Page) -> None:
    page.open()
    page.settle()
    page.may_copy()
    page.field("copy-code").click()
    page.wait(lambda: page.text("copy-code") == "Copied")
    code = page.run("return navigator.clipboard.readText()")
    space: dict[str, Any] = {"__name__": "copied"}
    exec(code, space)
    assert space["value_and_grad"]([[1.0, 2.0]], [1.0, 1.0], [1.0])[0] == 4.0


def test_everything_is_in_reach_of_the_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open()
    page.settle()
    focused = "const e = document.activeElement; return e.id || e.value"
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert page.run(focused) == "X"
    page.driver.switch_to.active_element.send_keys(" ")
    page.wait(lambda: len(page.run("return document.querySelectorAll('#formula math')")) == 2)
    assert page.run(focused) == "X"
    page.driver.switch_to.active_element.send_keys(Keys.CONTROL, Keys.ENTER)
    assert page.run(focused) == "result"
    page.driver.switch_to.active_element.send_keys("/")
    assert page.run(focused) == "source"


def test_a_question_that_was_taken_back_does_not_answer(page: Page) -> None:
    page.open(f=json.loads(SLOW)["source"], wrt="x", order=2)
    page.wait(lambda: "working" in page.text("verdict"))
    page.choose("order", "1")
    page.write("x' x")
    page.settle()
    assert page.formula() == "∂f∂x=2 x"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_an_example_fits_a_phone(page: Page, example: dict[str, Any]) -> None:
    page.open(PHONE, f=example["source"], wrt=example["wrt"])
    page.settle()
    page.run("for (const e of document.querySelectorAll('details')) e.open = true")
    width = page.run("return document.documentElement.scrollWidth")
    assert width <= PHONE[0]


@pytest.mark.skipif(not AXE, reason="MATDERIV_AXE names no axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("source", [NETWORK["source"], "(A B) x where A: (m, n), B: (m, n)"])
def test_the_rules_of_axe(page: Page, source: str, size: tuple[int, int], scheme: str) -> None:
    page.open(size, scheme, f=source, at=["B=64", "D=8", "M=4", "K=2"])
    page.settle()
    page.run("for (const e of document.querySelectorAll('details')) e.open = true")
    page.run(Path(str(AXE)).read_text("utf-8"))
    found = page.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    seen = [
        (rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found["violations"]
    ]
    assert not seen
    assert len(found["passes"]) > 20
