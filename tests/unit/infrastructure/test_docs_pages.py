"""What the docs point to is there: pages, sections, files of the checkout, verbs and settings."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from infrastructure.cli import cli
from infrastructure.local.folders import CHECKOUT
from shared.settings import GROUPS, NOT_SETTINGS, variables
from tests.documents import DOCS, PAGES, Block, anchors, blocks, inline_code, links

SHELL = [block for page in PAGES for block in blocks(page) if block.is_shell]
_KNOWN = {
    name for group in GROUPS for field in group.__struct_fields__ for name in variables(field)
}
_COMMAND = re.compile(r"(?:^|\$\(|[|;] ?)((?:\./run|millrace) [^\n|;&>)]*)", re.MULTILINE)
_SETTING = re.compile(r"\bMILLRACE_[A-Z0-9_]*[A-Z0-9]\b")


def _id(value: object) -> str:
    return value.name if isinstance(value, Block) else str(value)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_section_that_are_there(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(CHECKOUT), f"{page.name}: {link}"
        if fragment:
            assert fragment in anchors(target), f"{page.name}: {link}"


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in DOCS.glob("*.md") if page != index}
    decisions = set((DOCS / "decisions").glob("*.md"))
    assert pages | decisions <= linked


@pytest.mark.parametrize("block", SHELL, ids=_id)
def test_every_shell_block_is_sound_shell(block: Block) -> None:
    read = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr


def test_blocks_that_are_not_run_say_why_and_are_few() -> None:
    unrun = [block for block in SHELL if block.not_run_here is not None]
    assert all(block.not_run_here for block in unrun), "each needs a reason"
    assert len(unrun) <= 14
    assert len(unrun) * 2 <= len(SHELL)


def test_no_fence_is_opened_in_a_way_that_opens_none() -> None:
    """A backtick behind it makes it text."""
    for page in PAGES:
        assert not re.search(r"^```[^\n]*`", page.read_text(), re.MULTILINE), page.name


def test_commands_stand_in_blocks_that_are_known_to_be_shell() -> None:
    """Else nothing would run them."""
    for page in PAGES:
        for block in blocks(page):
            if not block.is_shell:
                assert not re.search(r"^(\./run|millrace|curl) ", block.text, re.M), block.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_option_that_is_named_is_there(page: Path) -> None:
    named = [code for code in inline_code(page) if re.match(r"(\./run|millrace) [a-z]", code)]
    written = [
        line
        for block in blocks(page)
        if block.is_shell
        for line in _COMMAND.findall(_without_comments(block.text))
    ]
    for words in (*named, *written):
        assert _unknown(words) is None, f"{page.name}: `{words}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_is_one(page: Path) -> None:
    names = set(_SETTING.findall(page.read_text()))
    assert names - _KNOWN - NOT_SETTINGS <= {"MILLRACE_X", "MILLRACE_X_FILE"}


@pytest.mark.parametrize("block", SHELL, ids=_id)
def test_a_curl_that_sends_a_beacon_names_a_browser(block: Block) -> None:
    """For curl itself is a bot to the packaged list."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if "curl" in line and "/track" in line and "Authorization" not in line:
            assert re.search(r"-A '?\"?(Mozilla|\$)", line), f"{block.name}: {line}"


def _without_comments(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text.replace("\\\n", " "))


def _unknown(words: str) -> str | None:
    """The first word that is neither a verb, a sub-verb nor an option of it."""
    try:
        _, *rest = shlex.split(words.replace("…", "").replace("[", " ").replace("]", " "))
    except ValueError:
        _, *rest = words.split()
    command: click.Command = cli
    context = click.Context(cli)
    for word in rest:
        name = word.partition("=")[0]
        if isinstance(command, click.Group) and not word.startswith("-"):
            if word.isupper():
                continue
            found = command.get_command(context, word.rstrip(",.:"))
            if found is None:
                return word
            command = found
        elif command.context_settings.get("ignore_unknown_options"):
            return None
        elif name.startswith("--") and name != "--help":
            options = {
                text for each in command.params for text in (*each.opts, *each.secondary_opts)
            }
            if name not in options:
                return word
    return None
