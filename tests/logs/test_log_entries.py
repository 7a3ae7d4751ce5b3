"""Entries: lines that are JSON to programs and text to people."""

from rota.core.entry import encode_message
from rota.core.policy import LogLimit
from rota.logs import LogName, LogReader, LogWriter, Pattern, RunLogs
from rota.surfaces.runwisp import translate


def test_an_entry_stands_among_the_other_lines_as_it_was_said(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"printed\n", 1)
    writer.write("entry", encode_message("info", "half", 50), 2)
    writer.finalize(3)
    lines = reader.page(0, 10).lines
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "printed"),
        ("entry", '{"level":"info","msg":"half","percent":50}'),
    ]
    assert [line.plain for line in lines] == ["printed", "info 50% half"]


def test_people_find_entries_by_what_they_read(writer: LogWriter, reader: LogReader) -> None:
    writer.write("entry", encode_message("warning", 'a "quoted" word', 50), 1)
    writer.finalize(2)
    found = reader.search(Pattern('50% a "quoted"', regex=False, case=True), most=10)
    assert [line.n for line in found.lines] == [0]
    assert reader.search(Pattern('"msg"', regex=False, case=True), most=10).lines == []


def test_the_downloaded_text_has_no_json(writer: LogWriter, reader: LogReader) -> None:
    writer.write("entry", encode_message("info", "one") + encode_message("error", "two", 100), 1)
    writer.finalize(2)
    assert b"".join(reader.raw()) == b"info one\nerror 100% two\n"


def test_secrets_are_masked_in_entries_too(logs: RunLogs, name: LogName, reader: LogReader) -> None:
    writer = logs.writer(name, LogLimit(), ["hunter22"])
    writer.write("entry", encode_message("info", "it is hunter22"), 1)
    writer.finalize(2)
    assert [line.plain for line in reader.page(0, 10).lines] == ["info it is [redacted]"]


def test_runwisp_shows_an_entry_as_a_line_of_stdout(writer: LogWriter, reader: LogReader) -> None:
    writer.write("entry", encode_message("info", "half", 50), 1)
    writer.finalize(2)
    shown = translate.line_wire(reader.page(0, 1).lines[0])
    assert (shown.stream, shown.text) == ("stdout", "info 50% half")
