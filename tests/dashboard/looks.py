"""What is true of every page: it fits wide and narrow, in both themes, and axe finds nothing serious."""

from playwright.sync_api import Page

from tests.dashboard.browser import OUTPUT, drawn
from tests.dashboard.pages import serious_faults

WIDE, PHONE = (1440, 900), (390, 844)
_TWICE_AS_LARGE = (720, 450)  # a browser that is zoomed to 200 %
# axe and pictures take seconds of a core: each theme and each width once, not all four pairs.
_EXAMINED = (("light", WIDE), ("dark", PHONE))


def looks_right(page: Page, name: str, *, is_long: bool = True) -> None:
    """Also in pictures of `name` as it stands; `is_long` shows what is below the window too."""
    for theme, size in _EXAMINED:
        resize(page, size)
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
        drawn(page)
        if size is PHONE:
            _money_is_seen(page)
        page.screenshot(path=OUTPUT / f"{name}-{theme}-{size[0]}.png", full_page=is_long)
        assert not serious_faults(page), (name, theme, size)
    resize(page, _TWICE_AS_LARGE)
    resize(page, WIDE)


def _money_is_seen(page: Page) -> None:
    """In lists whose other columns have to be scrolled to."""
    for cost in page.locator("[role=cell][data-cell=cost_usd]").all()[:1]:
        box = cost.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PHONE[0], page.url


def resize(page: Page, size: tuple[int, int]) -> None:
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)
