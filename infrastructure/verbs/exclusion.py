"""`millrace exclusion`: what is taken out of every answer about a site."""

from api.saved import EXCLUSIONS
from infrastructure.saved_verbs import add_verb, group, list_verb, remove_verb

command = group(
    "Take events out of every answer, the past too, and back.",
    add_verb(
        EXCLUSIONS,
        "Take what matches FILTER out of every answer about SITE, the past too.",
        (
            "exclusion add example.com 'staff pages' event:page~/admin",
            "exclusion add example.com staging event:hostname=staging.example.com",
        ),
        "what matches is in no answer from now on. Nothing was deleted.",
    ),
    list_verb(EXCLUSIONS),
    remove_verb(EXCLUSIONS, "Every answer counts it again, the past too."),
)
