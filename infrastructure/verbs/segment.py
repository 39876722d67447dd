"""`millrace segment`: filters that questions name."""

from api.saved import SEGMENTS
from infrastructure.saved_verbs import add_verb, group, list_verb, remove_verb

command = group(
    "Save filters, to be asked for by name.",
    add_verb(
        SEGMENTS,
        "Save filters of SITE under NAME, for questions to name.",
        ("segment add example.com 'phones in Austria' visit:country=AT visit:device=mobile",),
        'a question names it as ["is", "segment", [ID]].',
    ),
    list_verb(SEGMENTS),
    remove_verb(SEGMENTS, "Questions that name it are refused from now on."),
)
