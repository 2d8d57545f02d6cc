"""Hostile and odd answers: what is refused, and what is odd but valid."""

LONG = "a" * 300

# By question: answers that pre_gen refuses by that question's key.
REFUSED = {
    "project_name": [
        "",
        "   ",
        "two\nlines",
        "a\ttab",
        "carriage\rreturn",
        "a\x00nul",
        "\x1b[31mred",
        "\x7fdelete",
        "\u202eright to left",
        "\u2066isolated\u2069",
        "zero\u200bwidth",
        "\ufeffmarked",
        "line\u2028separator",
        "next\x85line",
        "a" * 61,
        LONG,
        "${HOME}",
        "lone \ud800 surrogate",
        None,
        7,
        ["list"],
    ],
    "project_slug": [
        "../../evil",
        "a/b/c",
        "x/../../y",
        "/etc/cognises",
        "~/evil",
        "-leading",
        "--help",
        "trailing-",
        "9lives",
        "ab",
        "a" * 33,
        "Upper-Case",
        "under_score",
        "with space",
        "dot.ted",
        ".hidden",
        "quote'",
        'quote"""',
        "back\\slash",
        "..\\..\\evil",
        "new\nline",
        "trailing\n",
        "{{ 7 * 7 }}",
        "$(touch evil)",
        "`touch evil`",
        "a;touch evil",
        "ünïcode",
        "\u0441yrillic",
        "\u202eabc",
        "zero\u200bwidth",
        "con",
        "prn",
        "aux",
        "nul",
        "com1",
        "com9",
        "lpt1",
        "nul.txt",
        "COM1",
    ],
    "aws_region": [
        "",
        "us-east",
        "US-EAST-1",
        "us_east_1",
        "us-east-1 ",
        "us-east-1\n",
        "us-east-1\u202e",
        LONG,
        "../..",
        '"""',
        "us-east-1'",
        "us-east-1\\",
        "-us-east-1",
        "$(touch evil)",
    ],
    "user_pool_id": [
        "us-east-1",
        "us-east-1_",
        "us-east-1_abc def",
        "us-east-1_abc\n",
        "us-east-1_ab-c",
        "us-east-1_abé",
        "us-east-1_ab\u200bc",
        "eu-west-1_AbCdEfGhI",
        "us-east-1_" + LONG,
        "_abc",
        "-us-east-1_abc",
        '"""',
        "us-east-1_a'b",
        "../../x",
        "$(touch evil)",
    ],
    "deployment": ["", "Container", "kubernetes", "../../x", '"""', LONG, ["container"], None],
}

# One bake tries one bad answer to each question; the shorter lists leave theirs good at the end.
ROWS = [
    {key: answers[row] for key, answers in REFUSED.items() if row < len(answers)}
    for row in range(max(map(len, REFUSED.values())))
]

# cookiecutter itself stops at these slugs, before any hook: in its own words, but as harmlessly.
STOPPED_BY_COOKIECUTTER = ["", "..", ".", LONG, "nul\x00byte"]

# Names that are as good as any other.
SURVIVORS = [
    "Plain",
    "-rf",
    "con",
    "../../x",
    'It\'s "quoted" and \\escaped\\',
    '"""',
    "'''",
    "\\",
    "Café Größe 日本語 🦊",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "${{ secrets.X }}".removeprefix("$"),
    "<b>bold</b> & *stars* _lines_ `ticks` [link](x) #hash | pipe",
    "$HOME $(touch evil) `touch evil`",
    "name = 'x' # not a comment",
    "x" * 60,
]


def is_text_for_a_file(answer):
    """Whether a file in UTF-8 can hold it."""
    return isinstance(answer, str) and "\ud800" not in answer


def is_text_for_a_command_line(answer):
    """Whether the operating system can hand it over at all."""
    return is_text_for_a_file(answer) and "\0" not in answer


def is_template(answer):
    """Whether cookiecutter renders it to something else, where it renders answers."""
    return isinstance(answer, str) and ("{{" in answer or "{%" in answer)
