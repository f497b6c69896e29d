"""How many records a workbook has, judged by those who write and read workbooks."""

from __future__ import annotations

import io
import re
import time
import zipfile
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.styles import Font

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.verify.sheet_rows import SheetCounter
from tests.unit.verify.archives import verify

if TYPE_CHECKING:
    from collections.abc import Callable

SHEET = "xl/worksheets/sheet1.xml"
ROWS: list[list[Any]] = [
    ["id", "text"],
    [1, "one <row> & more"],
    [2, None],
    [None, None],
    [None, "x"],
    ["", 0],
]


def by_openpyxl() -> bytes:
    book, target = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    for row in ROWS:
        sheet.append(row)
    sheet["C9"].font = Font(bold=True)  # a row with a cell that has a style, and no value
    sheet["A10"] = "=A2+1"
    book.create_sheet("empty")
    book.save(target)
    return target.getvalue()


def by_xlsxwriter() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(ROWS):
            sheet.write_row(place, 0, row)
        sheet.write_blank(8, 2, None, book.add_format({"bold": True}))
        sheet.write_formula(9, 0, "=A2+1", None, 2)
        book.add_worksheet("empty")
    return target.getvalue()


def by_xlsxwriter_in_a_stream() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(ROWS):
            sheet.write_row(place, 0, row)
        sheet.write_formula(9, 0, "=A2+1", None, 2)
    return target.getvalue()


WRITERS = [by_openpyxl, by_xlsxwriter, by_xlsxwriter_in_a_stream]


def read(body: bytes) -> int:
    """Count the rows with a value below the first one of each sheet, as openpyxl finds them."""
    book = openpyxl.load_workbook(io.BytesIO(body))
    counts = [
        sum(any(cell not in (None, "") for cell in row) for row in sheet.values) for sheet in book.worksheets
    ]
    return sum(max(0, count - 1) for count in counts)


def changed(body: bytes, change: Callable[[str, bytes], tuple[str, bytes]]) -> bytes:
    """Write a workbook again, each part as `change` has it."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))
    return target.getvalue()


def in_encoding(encoding: str, mark: bytes = b"") -> Callable[[str, bytes], tuple[str, bytes]]:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        if not name.startswith("xl/worksheets/sheet"):
            return name, content
        text = re.sub(r"<\?xml.*?\?>", "", content.decode())
        declared = re.sub("-[lb]e$", "", encoding) if mark else encoding
        return name, mark + f'<?xml version="1.0" encoding="{declared}"?>\n{text}'.encode(encoding)

    return change


@pytest.mark.parametrize("write", WRITERS)
def test_rows_without_any_value_are_no_records(write: Callable[[], bytes]) -> None:
    body = write()

    for step in (1, 7, 100, 65536):
        assert verify(body, FileKind.XLSX, step).records == read(body) == 5


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("iso-8859-1", b""),
        ("us-ascii", b""),
        ("windows-1252", b""),
    ],
)
def test_a_sheet_may_be_in_any_encoding_of_xml(
    write: Callable[[], bytes], encoding: str, mark: bytes
) -> None:
    body = changed(write(), in_encoding(encoding, mark))

    for step in (1, 7, 65536):
        assert verify(body, FileKind.XLSX, step).records == read(body) == 5


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "cp037", "utf-7", "iso-2022-jp"])
def test_a_sheet_in_an_encoding_that_few_read_is_counted_or_null(encoding: str) -> None:
    body = changed(by_openpyxl(), in_encoding(encoding))

    assert verify(body, FileKind.XLSX).records in (5, None)


@pytest.mark.parametrize("types", ["[content_types].xml", "[CONTENT_TYPES].XML"])
def test_the_main_part_may_lie_anywhere(types: str) -> None:
    # Given a workbook whose parts lie in another folder, as its relationships say
    def move(name: str, content: bytes) -> tuple[str, bytes]:
        names = {"xl/workbook.xml": "Book/Main.xml", "xl/_rels/workbook.xml.rels": "Book/_rels/Main.xml.rels"}
        if name == "[Content_Types].xml":
            return types, content.replace(b"/xl/workbook.xml", b"/Book/Main.xml")
        if name == "_rels/.rels":
            content = content.replace(b'"xl/workbook.xml"', b'"/Book/Main.xml"')
        if name.endswith("workbook.xml.rels"):
            content = content.replace(b'Target="/xl/worksheets/sheet1.xml"', b'Target="Rows%201.xml"')
        return names.get(name, name.replace(SHEET, "book/rows 1.xml")), content

    # When it is verified
    findings = verify(changed(by_openpyxl(), move), FileKind.XLSX)
    # Then its rows are found
    assert findings.records == 5
    assert {each.name: each.records for each in findings.entries if each.records} == {"book/rows 1.xml": 5}


def test_the_sheets_of_a_moved_workbook_are_those_that_a_reader_finds() -> None:
    def move(name: str, content: bytes) -> tuple[str, bytes]:
        for old, new in ((b"/xl/", b"/book/"), (b'"xl/', b'"book/')):
            content = content.replace(old, new) if not name.endswith("sheet1.xml") else content
        content = content.replace(b"/book/styles.xml", b"/xl/styles.xml")  # where openpyxl looks for it
        return re.sub("^xl/(?!styles)", "book/", name), content

    body = changed(by_openpyxl(), move)

    assert verify(body, FileKind.XLSX).records == read(body) == 5


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda name, content: ("Types.xml" if name.startswith("[") else name, content), "Content_Types"),
        (lambda name, content: (name.replace("workbook.xml", "workbuch.xml"), content), "xl/workbook.xml"),
        (
            lambda name, content: (
                name.replace("xl/workbook.xml", "word/document.xml"),
                content.replace(b"xl/workbook.xml", b"word/document.xml").replace(b"<workbook", b"<document"),
            ),
            "word/document.xml",
        ),
    ],
    ids=["no types", "no main part", "a document"],
)
def test_an_archive_without_a_main_part_is_no_workbook(change: Any, missing: str) -> None:
    with pytest.raises(CorruptDownloadError, match=f"not a workbook: no .*{missing}"):
        verify(changed(by_openpyxl(), change), FileKind.XLSX)


@pytest.mark.parametrize(
    ("old", "new", "records"),
    [
        (b"<sheetData>", b"<!-- <row><c><v>1</v></c></row> --><sheetData>", 5),
        (b"<sheetData>", b"<sheetData><row><c><v><!-- 1 --></v></c></row>", 5),
        (b"<sheetData>", b"<sheetData><row><c><is><t><![CDATA[</row>]]></t></is></c></row>", 6),
        (b"<sheetData>", b"<sheetData><row><c><is><t><![CDATA[]]></t></is></c></row>", 5),
        (b"<sheetData>", b"<sheetData><row><c><is><t xml:space='preserve' />\n</is></c></row>", 5),
        (b"<sheetData>", b"<sheetData><row a='>'><c><v a='/>'>1</v></c></row >", 6),
        (b"</sheetData>", b"</sheetData><row><v>1</v></row>", 5),
        (b"</worksheet>", b"</worksheet>\n<!-- end -->\n", 5),
        (b"</worksheet>", b"", None),
        (b"</sheetData>", b"", None),
        (b"<sheetData>", b"<sheetData><?php echo ?>", None),
        (b"<worksheet", b"<!DOCTYPE worksheet []><worksheet", None),
        (b"</row>", b"</row><!ELEMENT row>", None),
        (b"<worksheet", b'<?xml version="1.0" encoding="utf-16"?><worksheet', None),
    ],
)
def test_what_stands_between_cells_is_understood_or_null(old: bytes, new: bytes, records: int | None) -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        return name, content.replace(old, new, 1) if name == SHEET else content

    body = changed(by_openpyxl(), change)

    for step in (1, 7, 65536):
        assert verify(body, FileKind.XLSX, step).records == records


@pytest.mark.parametrize("step", [1, 2, 3, 5, 64])
def test_a_prefix_changes_nothing_wherever_a_sheet_is_cut(step: int) -> None:
    text = (
        b"<x:worksheet xmlns:x='y'><x:sheetData><x:row><x:c><x:v>1</x:v></x:c></x:row><x:row><x:c/></x:row>"
        b"<!-- --><x:row r='3'><x:c><x:is><x:t>2</x:t></x:is></x:c></x:row><x:row/></x:sheetData><x:y/>"
        b"</x:worksheet>"
    )
    for content in (text, b"<worksheet><sheetData /></worksheet>"):
        counter = SheetCounter()
        for at in range(0, len(content), step):
            counter.feed(content[at : at + step])
        assert counter.total() == (content is text)


def test_sheets_made_to_waste_time_take_no_longer_than_their_length() -> None:
    start, size = b"<worksheet><sheetData>", 4_000_000
    for piece in (b"<", b"<!--", b"<!-- -->", b"<![CDATA[]]>", b"</row>", b"<v>", b"<v a='", b"<x:", b"<v "):
        content = start + piece * (size // len(piece))
        counter, began = SheetCounter(), time.process_time()
        for at in range(0, len(content), 262_144):
            counter.feed(content[at : at + 262_144])
        counter.total()
        assert time.process_time() - began < 6, piece
