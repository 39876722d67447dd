"""What a site may be called: what browsers send for its domain."""

import pytest

from api.sites import check_key
from shared.errors import Refusal


def test_a_domain_with_other_letters_is_refused_with_the_name_that_browsers_send() -> None:
    with pytest.raises(Refusal, match=r"xn--bcher-kva\.example") as refused:
        check_key("bücher.example")
    assert refused.value.field == "key"
    check_key("xn--bcher-kva.example")


@pytest.mark.parametrize(
    "key", ["Shop.example", "https://shop.example", "a b", "", "*.shop.example", "é" * 70]
)
def test_what_is_no_domain_is_refused(key: str) -> None:
    with pytest.raises(Refusal):
        check_key(key)
