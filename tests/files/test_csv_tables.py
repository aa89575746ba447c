"""CSV files as other programs write them, CSV files with errors, and CSV files that alearn writes."""

import csv
import io

import numpy as np
import pytest

from alearn.errors import AlearnError
from alearn.files import csv_tables

FIELDS = ("plain", "", "a,b", 'say "x"', "two\nlines", "a\rb", " blanks ", "a;b", "\u65e5\u672c", "a\u2028b")


def test_any_text_comes_back_through_this_reader_and_the_librarys():
    rows = [[one, other, one] for one in FIELDS for other in FIELDS]
    text = csv_tables.to_text(("x", "y", "z"), rows)
    assert [
        list(line.values()) for line in csv_tables.parse("f", text.encode(), ("x", "y", "z"), exact=True).values()
    ] == rows
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [["x", "y", "z"], *rows]


def test_a_field_is_quoted_only_where_it_must_be():
    assert csv_tables.line(("a b", 'q"', None, 1, 0.1, np.float64(0.1), True)) == 'a b,"q""",,1,0.1,0.1,True\n'
    assert csv_tables.line(("a\rb", ";", "'")) == '"a\rb",;,\'\n', (
        "some versions of the library do not quote a carriage return"
    )
    assert csv_tables.line([""]) == '""\n', "a blank line would be skipped"


def parse(text: str, *columns: str, exact: bool = False) -> dict[int, dict[str, str]]:
    return csv_tables.parse("f.csv", text.encode(), columns, exact)


def test_lines_have_their_numbers_in_the_file():
    text = '\ufeffnote,x\r\n\r\n"one\r\ntwo",1\r\nthree,2\r\n'
    assert parse(text, "x") == {3: {"note": "one\r\ntwo", "x": "1"}, 5: {"note": "three", "x": "2"}}


def test_what_is_not_needed_may_be_left_out_at_the_end_of_a_line():
    assert parse("x,y,note,,\n1,2\n", "x", "y") == {2: {"x": "1", "y": "2", "note": "", "": ""}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.csv: has no column x; there are none"),
        ("x;y\n1;2\n", "f.csv: has no column x; there are x;y; are they separated by commas?"),
        ("x\n1\n", "f.csv: has no column y; there are x; are they separated by commas?"),
        ("x,y,note,note\n", "f.csv: has 2 columns note; rename all but one"),
        ("x,y,\uff39\n", "f.csv: has the columns y and '\uff39'; rename or remove one"),
        ("x,y, y\n", "f.csv: has the columns y and ' y'; rename or remove one"),
        ("x,y\n1,2\n\n3\n", "f.csv: line 4: must have 2 fields, has 1"),
        ("x,y\n1,2,3\n", "f.csv: line 2: must have 2 fields, has 3; quote fields that hold a comma"),
        ('x,y\n1,2\n"a"b,2\n', "f.csv: line 3: is not CSV (',' expected after '\"')"),
        ('x,y\n1,"2\n', "f.csv: line 2: is not CSV (unexpected end of data)"),
    ],
)
def test_what_is_wrong_is_one_message_with_the_line(text, message):
    with pytest.raises(AlearnError) as error:
        parse(text, "x", "y")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ufeffx,y\n1,2\n", "its header"),
        ("y,x\n1,2\n", "f.csv: its header is y,x; it must be x,y"),
        ("x,y,z\n1,2,3\n", "its header"),
        ("", "its header"),
        ("\nx,y\n1,2\n", "its header"),
        ("x,y\n1,2\n\n", "line 3: must have 2 fields, has 0"),
    ],
)
def test_an_exact_file_is_the_same_to_every_reader(text, message):
    assert parse("x,y\n1,2\n", "x", "y", exact=True) == {2: {"x": "1", "y": "2"}}
    with pytest.raises(AlearnError, match=message):
        parse(text, "x", "y", exact=True)


def test_a_column_that_may_be_missing_is_not_missed_because_of_its_spelling():
    content = b"x,note,Note\n1,2,3\n"
    assert csv_tables.parse("f.csv", content, ("x",), optional=("y",)) == {2: {"x": "1", "note": "2", "Note": "3"}}
    with pytest.raises(AlearnError, match="has a column 'Y '; call it y, or something unlike it"):
        csv_tables.parse("f.csv", b"x,Y \n1,2\n", ("x",), optional=("y",))


def test_bytes_that_are_no_text_and_files_that_cannot_be_had(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n\xff\n")
    with pytest.raises(AlearnError, match=r"a\.csv: is not UTF-8 \(invalid start byte at byte 2\); save it as UTF-8"):
        csv_tables.read(tmp_path / "a.csv", ("x",))
    with pytest.raises(AlearnError, match=r"b\.csv: cannot be read \(No such file or directory\)"):
        csv_tables.read(tmp_path / "b.csv", ("x",))


def test_a_field_may_be_of_any_length_and_the_librarys_limit_stays():
    before = csv.field_size_limit()
    assert len(parse("x,y\n1," + "2" * 300_000, "x")[2]["y"]) == 300_000
    assert csv.field_size_limit() == before
