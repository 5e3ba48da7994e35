"""Where the keys of a TOML text stand: by examples, and for any text that a writer of our own can make."""

import tomllib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.positions import Path, dotted, index_lines, line_of, problem


def paths_in(value: object, path: Path = ()) -> set[Path]:
    """Return every path in a parsed document, tables and array elements included."""
    found: set[Path] = {path} if path else set()
    match value:
        case dict():
            inner = value.items()
        case list():
            inner = enumerate(value)
        case _:
            return found
    for step, item in inner:
        found |= paths_in(item, (*path, step))
    return found


def test_keys_and_tables_stand_on_their_lines() -> None:
    """A table stands at its header, a key where its name is written."""
    text = 'a = 1\n\n[b]\n# c = 0\nc = 2\n[b.d]\ne = 3\n'
    assert index_lines(text) == {("a",): 1, ("b",): 3, ("b", "c"): 5, ("b", "d"): 6, ("b", "d", "e"): 7}


def test_each_table_of_an_array_has_its_own_line() -> None:
    """The array itself stands at its first table; a table below belongs to the latest one."""
    text = "[[app]]\nname = 1\n[[app.rule]]\nx = 1\n[[app.rule]]\n[[app]]\n[[app.rule]]\n[app.rule.right]\ny = 2\n"
    lines = index_lines(text)
    assert lines[("app",)] == lines[("app", 0)] == 1
    assert lines[("app", 0, "rule", 0, "x")] == 4
    assert lines[("app", 0, "rule", 1)] == 5
    assert lines[("app", 1)] == 6
    assert lines[("app", 1, "rule", 0)] == 7
    assert lines[("app", 1, "rule", 0, "right", "y")] == 9


def test_a_header_outranks_the_deeper_one_that_came_first() -> None:
    """`[a]` may follow `[a.b]`, and then it is where the table stands."""
    lines = index_lines("[a.b]\nx = 1\n[a]\ny = 2\n")
    assert (lines[("a",)], lines[("a", "b")]) == (3, 1)


def test_dotted_keys_name_tables_on_the_way() -> None:
    """Spaces around the dots and quotes around a part change nothing."""
    lines = index_lines('[t]\na . "b.c" . \'d\' = 1\na.e = 2\n')
    assert lines == {
        ("t",): 1, ("t", "a"): 2, ("t", "a", "b.c"): 2, ("t", "a", "b.c", "d"): 2, ("t", "a", "e"): 3,
    }


def test_elements_of_an_array_stand_where_they_are_written() -> None:
    """Comments, empty lines and a last comma are no elements."""
    text = 'a = [ # one\n  1,\n\n  # ], "\n  [2, 3], { b = 4,\n c.d = 5 }, # more\n]\nz = 1\n'.replace(",\n c", ", c")
    lines = index_lines(text)
    assert (lines[("a", 0)], lines[("a", 1)], lines[("a", 1, 1)], lines[("a", 2, "c", "d")]) == (2, 5, 5, 5)
    assert lines[("z",)] == 7


@pytest.mark.parametrize(
    "value",
    [
        '"""\n[a]\nb = 1\n"""', "'''\n[a]\n\"\"\"\nb = 1\n'''", '"""\\\n  "" \\""" # no\n"""', '""""two""""',
        '"""""two"""""', "'''''two'''''", '""', "''", '"\\"# no"', "'\\'", '""""""', "''''''", '"]}"', "'# no'",
        '"""a\\\\"""', '["""\n""",\n"""\n"""]', "1979-05-27 07:32:00", "1979-05-27T07:32:00-07:00", "+1_000", "nan",
        '{ a = "}", b = [1, { c = "]" }] }', "[]", "{}", "[[], [[]]]", "[ ]", "{ }", "0x_".replace("_", "f"),
    ],
)
def test_what_is_inside_a_value_is_no_key(value: str) -> None:
    """A value of any kind ends where the parser ends it, so the next key stands on the right line."""
    text = f"first = {value} # comment\nlast = 1\n"
    lines = index_lines(text)
    assert set(lines) == paths_in(tomllib.loads(text))
    assert lines[("last",)] == text.count("\n")


def test_windows_line_ends_count_once() -> None:
    """CRLF is one line end."""
    assert index_lines('a = 1\r\nb = """\r\n"""\r\nc = 3\r\n') == {("a",): 1, ("b",): 2, ("c",): 4}


def test_an_empty_text_has_no_keys() -> None:
    """Neither has one of comments."""
    assert index_lines("") == index_lines("# a = 1") == index_lines("\n \t\n") == {}


def test_a_key_that_is_not_written_stands_in_its_table() -> None:
    """Nothing at all stands on line 1."""
    lines = index_lines("\n[a]\nb = 1\n")
    assert line_of(lines, ("a", "missing")) == 2
    assert line_of(lines, ("a", "b", "c", 0)) == 3
    assert line_of(lines, ("missing",)) == line_of(lines, ()) == 1


def test_a_path_is_written_as_operators_read_it() -> None:
    """Array elements in brackets, names with dots."""
    assert dotted(("app", 0, "rule", 12, "path")) == "app[0].rule[12].path"
    assert dotted(("source", "shop-users", "url")) == "source.shop-users.url"


def test_a_problem_holds_file_line_key_and_sentence() -> None:
    """It reads like a compiler's message."""
    found = problem("s.toml", index_lines("\n[a]\n"), ("a", "b"), "is missing")
    assert str(found) == "s.toml:2: a.b: is missing"


# ---- any document ---------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)) | st.sampled_from("\"'\\#[]{}=,.\t"),
                max_size=8)
SCALARS = st.sampled_from(["1", "-0.5e3", "true", "1979-05-27 07:32:00", "inf", "0b1"])
BREAKS = st.sampled_from([" ", "", "\t", "\n", "\n\n", " # ] } = \"\n", "\n# '''\n"])


@dataclass
class Draft:
    """A document in the making; names are numbered, so that none is written twice."""

    data: st.DataObject
    text: str = ""
    names: int = 0
    lines: dict[Path, int] = field(default_factory=dict)

    def name(self) -> tuple[str, str]:
        """Return a new name and one way to write it."""
        self.names += 1
        name = self.data.draw(TEXTS) + str(self.names)
        if self.data.draw(st.booleans()) or "'" in name:
            return name, _basic(name)
        return name, f"'{name}'"

    def note(self, path: Path) -> None:
        self.lines[path] = self.text.count("\n") + 1

    def pair(self, table: Path, depth: int) -> None:
        name, written = self.name()
        self.note((*table, name))
        self.text += f"{written} = "
        self.value((*table, name), depth)

    def value(self, path: Path, depth: int) -> None:
        kinds = ["scalar", "string", "string", "array", "table"] if depth else ["string"]
        match self.data.draw(st.sampled_from(kinds)):
            case "scalar":
                self.text += self.data.draw(SCALARS)
            case "string":
                self.text += self.string()
            case "array":
                self.array(path, depth)
            case "table":
                self.inline_table(path, depth)

    def string(self) -> str:
        text = self.data.draw(TEXTS)
        lines = "\n".join(self.data.draw(st.lists(TEXTS, max_size=3)))
        ways = [_basic(text), f'"""{_basic(lines)[1:-1]}\n"""']
        ways += [] if "'" in text + lines else [f"'{text}'", f"'''{lines}\n'''"]
        return self.data.draw(st.sampled_from(ways))

    def array(self, path: Path, depth: int) -> None:
        self.text += "["
        for index in range(self.data.draw(st.integers(0, 3))):
            self.text += self.data.draw(BREAKS)
            self.note((*path, index))
            self.value((*path, index), depth - 1)
            self.text += self.data.draw(BREAKS) + ","
        self.text += self.data.draw(BREAKS) + "]"

    def inline_table(self, path: Path, depth: int) -> None:
        self.text += "{ "
        for index in range(self.data.draw(st.integers(0, 2))):
            self.text += ", " if index else ""
            self.pair(path, depth - 1)
        self.text += " }"

    def body(self, table: Path) -> None:
        for _ in range(self.data.draw(st.integers(0, 2))):
            self.text += self.data.draw(st.sampled_from(["", "\n", "# x = 1\n", "  "]))
            self.pair(table, 2)
            self.text += self.data.draw(st.sampled_from(["\n", " # comment\n", "\t\n"]))

    def tables(self) -> None:
        name, written = self.name()
        for index in range(self.data.draw(st.integers(1, 3))):
            self.note((name, index))
            self.lines.setdefault((name,), self.lines[(name, index)])
            self.text += f"[[ {written} ]]\n"
            self.body((name, index))
            inner, inner_written = self.name()
            self.note((name, index, inner))
            self.text += f"[{written}.{inner_written}] # header\n"
            self.body((name, index, inner))


def _basic(text: str) -> str:
    """Write text as a basic string; line ends stay, for strings of several lines."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.data())
def test_every_key_of_any_document_is_found_on_its_line(data: st.DataObject) -> None:
    """The index and the standard library's parser agree on what there is, the writer knows where."""
    draft = Draft(data)
    draft.body(())
    for _ in range(data.draw(st.integers(0, 2))):
        draft.tables()
    found = index_lines(draft.text)
    assert found == draft.lines
    assert set(found) == paths_in(tomllib.loads(draft.text))
