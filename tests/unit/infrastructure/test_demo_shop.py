"""The demo's shop: pages that wear the tracker, on this machine's loopback alone."""

import httpx
import pytest

from api.snippet import snippet
from infrastructure.demo.shop import PAGES, Wares, open_shop
from infrastructure.demo.tunnel import ssh_line
from infrastructure.traffic.site_map import PAGES as MADE_UP

WARES = Wares(
    "demo.example",
    snippet("http://127.0.0.1:4001", "demo.example", local=True),
    "http://127.0.0.1:4003/live?site=demo.example",
)


def get(url: str) -> httpx.Response:
    """Patient: a machine that stands still for a moment is no fault of the shop."""
    return httpx.get(url, trust_env=False, timeout=60)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_wears_the_snippet_and_leads_to_the_others(path: str) -> None:
    with open_shop(0, WARES) as url:
        answer = get(f"{url}{path}?utm_source=me")
    assert answer.status_code == 200
    assert answer.text.count("data-local") == 1
    assert 'data-site="demo.example"' in answer.text
    assert all(f'href="{other}"' in answer.text for other in PAGES)


@pytest.mark.parametrize("path", ["/nowhere", "/../etc/passwd", "/rye/", "/%00"])
def test_what_is_no_page_is_not_found(path: str) -> None:
    with open_shop(0, WARES) as url:
        assert get(f"{url}{path}").status_code == 404


def test_its_titles_are_not_the_made_up_sites_so_that_the_account_leaves_them_out() -> None:
    assert not {page.title for page in PAGES.values()} & {page.title for page in MADE_UP.values()}


def test_the_snippet_holds_nothing_but_text_whatever_the_sites_key() -> None:
    assert '"><script>' not in snippet("https://edge.example/", '"><script>')
    assert snippet("https://edge.example/", "example.com") == (
        '<script defer src="https://edge.example/t.js" data-site="example.com"></script>'
    )


def test_the_ssh_line_names_the_host_and_port_that_this_session_came_in_by() -> None:
    line = ssh_line([4003, 4005], {"SSH_CONNECTION": "192.0.2.7 51000 198.51.100.4 2222"})
    assert line.startswith("ssh -N -L 4003:127.0.0.1:4003 -L 4005:127.0.0.1:4005 ")
    assert line.endswith("@198.51.100.4 -p 2222")


def test_without_a_session_the_ssh_line_names_this_machine() -> None:
    assert " -p " not in ssh_line([4003], {})
