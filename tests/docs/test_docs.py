"""
The documents say what is so: links lead somewhere, examples run, tables have the rows of the program.

The words after a fence say what happens to a block here:

  sh run          runs in bash, in order with the page's others (world.py); its exit status must be 0
  sh daemon       the command of a daemon that the page's later blocks use
  text output     what the block before it prints, with other numbers; "..." stands for any lines
  python run      runs where a Python with numpy and onnxruntime is found (COLCONV_DOCS_PYTHON names one)
  ini conf        lines of colconvd.conf that --check-config accepts; with `tokens`, beside the page's block of tokens
  text tokens     a file of tokens that the daemon accepts
  sh root, sh host, sh hub    not run: they change the system, need other machines, or the Hub
"""
import json
import os
import re
import subprocess
import sys

import pytest

import codes
import picture
from pages import SOURCE, all_pages, anchors, blocks, links, pages, prose, table_rows, text_of
from world import BUILD, World, missing_line, python_with, shape

KINDS = ("sh run", "sh daemon", "text output", "python run", "ini conf", "ini conf tokens", "text tokens",
         "sh root", "sh host", "sh hub", "ini unit", "yaml", "python", "js", "text", "sh")


# Pages and pictures

@pytest.mark.parametrize("page", all_pages())
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert (SOURCE / target).exists(), f"{page} links to '{link}', which is not a file"
        assert not anchor or not target.endswith(".md") or anchor in anchors(target), f"{page}: '{target}' has no heading '#{anchor}'"


def test_every_page_is_reachable():
    """Every page can be reached from README.md through links."""
    seen, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = (os.path.normpath(os.path.join(os.path.dirname(page), link.partition("#")[0])) for link in links(page))
        waiting += [target for target in targets if target.endswith(".md") and (SOURCE / target).exists()]
    assert set(pages()) <= seen


def test_every_picture_is_shown():
    shown = {os.path.normpath(os.path.join(os.path.dirname(page), link)) for page in pages() for link in links(page)}
    pictures = {str(p.relative_to(SOURCE)) for p in (SOURCE / "docs").iterdir() if p.suffix in (".svg", ".png")}
    assert pictures <= shown
    assert sum((SOURCE / p).stat().st_size for p in pictures) < 300_000


@pytest.mark.parametrize("page", pages())
def test_blocks_say_what_they_are(page):
    for block in blocks(page):
        assert block.kind in KINDS, f"{block}: '{block.kind}' is not one of {KINDS}"


# Examples

def check_config(world, text, tokens):
    (world.folder / "tokens").write_text(tokens)
    (world.folder / "tokens").chmod(0o600)
    (world.folder / "conf").write_text(world.inside(text))
    return subprocess.run([BUILD / "colconvd", "--check-config", "--config", world.folder / "conf"], env=world.environment,
                          capture_output=True, text=True)


def run_page(world, page):
    said, tokens = "", "ops admin 0123456789abcdef0123456789abcdef\n"
    for block in blocks(page):
        if block.kind == "sh daemon":
            world.start(block.text)
        elif block.kind in ("sh run", "python run"):
            text = block.text
            if block.kind == "python run":
                python = python_with("numpy", "onnxruntime")
                if not python:
                    continue
                text = f"{python} - <<'END'\n{text}END\n"
            status, said = world.run(text)
            assert status == 0, f"{block} ends with status {status}:\n{block.text}\n{said}"
        elif block.kind == "text output":
            line = missing_line(block.text, said)
            assert line is None, f"{block}: the program does not print '{line}' here. It prints:\n{said}"
        elif block.kind == "text tokens":
            tokens = block.text
        if block.kind in ("ini conf", "ini conf tokens", "text tokens"):
            text = block.text if block.kind != "text tokens" else "tokens = /etc/colconv.tokens\nroots = /srv/models\n"
            done = check_config(world, text, tokens)
            assert done.returncode == 0, f"{block}: {done.stderr}"


@pytest.mark.parametrize("page", [page for page in pages() if any(" run" in b.kind or "conf" in b.kind for b in blocks(page))])
def test_examples_run(page, tmp_path):
    world = World(tmp_path)
    try:
        run_page(world, page)
    finally:
        world.close()


def test_settings_within_lines_are_accepted(tmp_path):
    """Checks settings such as `slots = gpus` in sentences and tables."""
    known = set(re.findall(r"^#(\w+) =", subprocess.run([BUILD / "colconvd", "--print-config"], capture_output=True, text=True, check=True).stdout, re.M))
    found = {(page, line) for page in pages() for line in re.findall(r"`(\w+ = [^`]+)`", prose(page))}
    assert found
    world = World(tmp_path)
    try:
        for page, line in sorted(found):
            assert line.split()[0] in known, f"{page}: there is no setting `{line}`"
            done = check_config(world, line + "\n", "")
            assert done.returncode == 0, f"{page}: `{line}`: {done.stderr}"
    finally:
        world.close()


@pytest.mark.parametrize("wanted, said, missing", [
    ("max abs 1.04e-06, 3 s\n", "max abs  9e-7, 128 ms\n", None),
    ("a 1\n...\nb\n", "a 2\nx\nb\n", None),
    ("a\nb\n", "b\na\n", "b"),
    ("job 1: done\n", "job 1: failed\n", "job 1: done"),
])
def test_an_output_that_differs_is_seen(wanted, said, missing):
    assert missing_line(wanted, said) == missing


def test_the_picture_of_a_session_is_what_the_programs_print():
    said = picture.session()
    assert [shape(line) for line in picture.drawn()] == [shape(line) for line in said], "run tests/docs/picture.py"


# Commands and options

def help_of(*command):
    return subprocess.run([BUILD / command[0], *command[1:], "--help"], capture_output=True, text=True, check=True).stdout


def options_in(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def commands_of_client():
    return re.findall(r"^  ([a-z]+)\b", subprocess.run([BUILD / "colconvctl", "help"], capture_output=True, text=True, check=True).stdout, re.M)


def uses(page):
    """(command, options) of each `colconvctl COMMAND --OPTION...` on the page, in blocks and within lines."""
    for words in re.findall(r"\bcolconvctl((?: +[^`|;&)\n]+)?)", text_of(page)):
        words = re.sub(r"^ +(--server|--token-file) \S+", "", words)
        found = re.match(r" +([a-z]+)\b(.*)", words)
        if found:
            yield found[1], options_in(found[2])


@pytest.mark.parametrize("page", pages())
def test_commands_and_options_exist(page):
    commands = commands_of_client()
    helps = {}
    for command, options in uses(page):
        if command not in commands:     # "colconvctl has", in a sentence; with options it is meant as a command
            assert not options, f"{page}: colconvctl has no command '{command}'"
            continue
        helps.setdefault(command, options_in(help_of("colconvctl", command)))
        assert options <= helps[command], f"{page}: 'colconvctl {command}' has no option {sorted(options - helps[command])}"


def test_the_table_of_options_is_whole():
    """docs/convert.md lists every option of `colconvctl convert` that affects the artifact or its check."""
    known = options_in(help_of("colconvctl", "convert"))
    table = options_in(" ".join(row[0] for row in table_rows("docs/convert.md", "option")))
    others = {"--output", "--file", "--force", "--worker", "--log", "--json", "--server", "--token-file", "--help"}
    assert {o for o in known if o.startswith("--")} - others == table


# Tables of the program

def test_models_and_profiles_are_those_of_the_program(tmp_path):
    world = World(tmp_path)
    try:
        world.start("colconvd --state /var/lib/colconv")
        status, said = world.run("colconvctl models --json")
        assert status == 0, said
    finally:
        world.close()
    models, options = json.loads(said)["models"], json.loads(said)["options"]
    assert [row[0] for row in table_rows("docs/convert.md", "profile")] == [f"`{word}`" for word in options["profile"]]
    known = {model["name"]: ", ".join(model["variants"]) for model in models}
    for model in models:
        (row,) = (row for row in table_rows("docs/models.md", "family") if row[0].partition(" (")[0] == model["name"])
        own = [c for c in model["classes"] if not c["backbone"]]
        checkpoints = {name for c in model["classes"] for name in c["checkpoints"]}
        assert set(re.findall(r"`(\w+)`", row[2])) <= {c["class"] for c in own}, row[0]
        assert set(re.findall(r"`([^`]+)`", row[3])) <= checkpoints, row[0]
        for c in own:
            assert f"`{c['class']}`" in text_of("docs/models.md"), f"docs/models.md does not name the class {c['class']}"
    for page in ("README.md", "docs/models.md"):
        # A better known relative may follow the name, in parentheses.
        assert {row[0].partition(" (")[0]: row[1] for row in table_rows(page, "family")} == known, page


def test_checkpoints_of_the_models():
    """README.md names no checkpoint that the longer table has not."""
    rows = {row[0]: row for row in table_rows("docs/models.md", "family")}
    for row in table_rows("README.md", "family"):
        assert set(re.findall(r"`([^`]+)`", row[2])) <= set(re.findall(r"`([^`]+)`", rows[row[0]][3])), row[0]


def test_the_life_of_a_job_has_all_states_and_stages():
    states = re.findall(r'^STATE\(\w+, +"(\w+)"', (SOURCE / "daemon/spec/states.def").read_text(), re.M)
    stages = re.findall(r'\{"(\w+)", \w+, (?:true|false), (?:true|false)\}', (SOURCE / "daemon/worker/stages.c").read_text())
    assert "queued" in states and stages[:2] == ["resolve", "trace"]
    drawn = re.findall(r">([a-z]+)</text>", text_of("docs/life.svg"))
    assert set(states + stages) <= set(drawn)
    assert [row[0].strip("`") for row in table_rows("docs/overview.md", "stage")] == stages


def version():
    return re.search(r"AC_INIT\(\[colconv\], \[([\d.]+)\]\)", (SOURCE / "configure.ac").read_text())[1]


def test_the_changes_begin_with_this_version():
    assert re.search(r"^## (\S+)", text_of("CHANGELOG.md"), re.M)[1] == version()


def test_the_page_of_errors_has_the_table_of_errors():
    assert codes.renewed(text_of(codes.PAGE)) == text_of(codes.PAGE), "run tests/docs/codes.py"


def strings_of_the_sources():
    """The string literals of the daemon: consecutive ones are joined, and "..." replaces format specifiers."""
    text = "\n".join(p.read_text() for p in sorted((SOURCE / "daemon").glob("**/*.c")))
    text = re.sub(r'"\s*\n\s*"', "", text)
    return re.sub(r"%[-+ #0-9.*]*(?:hh|h|ll|l|z)?[a-z]", "...", text)


def test_quoted_messages_are_those_of_the_program():
    """Checks messages *in italics* on the page of errors."""
    strings = strings_of_the_sources()
    quoted = re.findall(r"^- \*([^*]+)\*", text_of(codes.PAGE), re.M)
    assert len(quoted) > 10
    for words in quoted:
        assert words in strings, f"no message says '{words}'"


def test_remedies_are_sentences():
    for code in codes.codes():
        assert code.remedy and not code.remedy.endswith(".") and "%" not in code.remedy and " ID'" not in code.remedy, code.name
        assert set(re.findall(r"{\w*}", code.remedy)) <= {"{id}", "{command}"}, code.name


def test_every_guarantee_names_tests_that_exist():
    named = re.findall(r"`((?:tests/\w+/)?test_\w+(?:\.py|\.c)?)(?:::(\w+))?`", text_of("GUARANTEES.md"))
    assert len(named) > 25
    texts = {path.name: path.read_text() for path in (SOURCE / "tests").glob("*/test_*") if path.suffix in (".py", ".c")}
    for path, function in named:
        name = os.path.basename(path)
        if "." in name:
            assert name in texts and ("/" not in path or (SOURCE / path).exists()), path
        else:
            function = name
        assert not function or any(f"{function}(" in text for text in texts.values()), function
