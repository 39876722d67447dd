"""What visitors look with: user agents as they are sent today, and how wide their windows are."""

from random import Random
from typing import NamedTuple

from infrastructure.traffic.weighted import pick


class Browser(NamedTuple):
    """``widths``: of the window, in CSS pixels."""

    user_agent: str
    widths: tuple[int, ...]


_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
_ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X)"
_IPAD = "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X)"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_DESKTOP = (1280, 1366, 1440, 1536, 1680, 1920, 2560)
_PHONE = (360, 384, 390, 393, 412, 430)
_TABLET = (768, 810, 820, 1024)

BROWSERS = (
    (24, Browser(f"{_WINDOWS} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36", _DESKTOP)),
    (7, Browser(f"{_WINDOWS} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", _DESKTOP)),
    (
        5,
        Browser(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
            _DESKTOP,
        ),
    ),
    (9, Browser(f"{_MAC} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36", _DESKTOP)),
    (7, Browser(f"{_MAC} {_APPLE} Version/26.1 Safari/605.1.15", _DESKTOP)),
    (2, Browser(f"{_LINUX} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36", _DESKTOP)),
    (
        3,
        Browser("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", _DESKTOP),
    ),
    (21, Browser(f"{_ANDROID} {_WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36", _PHONE)),
    (
        3,
        Browser(
            f"{_ANDROID} {_WEBKIT} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
            _PHONE,
        ),
    ),
    (16, Browser(f"{_IPHONE} {_APPLE} Version/26.1 Mobile/15E148 Safari/604.1", _PHONE)),
    (3, Browser(f"{_IPAD} {_APPLE} Version/26.1 Mobile/15E148 Safari/604.1", _TABLET)),
)

CRAWLERS = (
    Browser(
        f"Mozilla/5.0 {_WEBKIT.removesuffix(')')}; compatible; GPTBot/1.2; "
        "+https://openai.com/gptbot)",
        (1024,),
    ),
    Browser("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", (1024,)),
    Browser("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", (1024,)),
    Browser("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", (1024,)),
)

CRAWLER_SHARE = 0.02


def pick_browser(rng: Random) -> Browser:
    """A visitor's browser; of every fifty visitors one is a crawler that runs scripts."""
    if rng.random() < CRAWLER_SHARE:
        return rng.choice(CRAWLERS)
    return pick(rng, BROWSERS)
