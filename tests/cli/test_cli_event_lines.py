from rota.cli.client import Notice, notices


def test_a_notice_is_read_out_of_its_lines() -> None:
    lines = ["id: 7", "event: line", 'data: {"n": 7}', ""]
    assert list(notices(iter(lines))) == [Notice("7", "line", {"n": 7})]


def test_data_of_several_lines_is_one_document() -> None:
    assert list(notices(iter(['data: {"n":', "data: 7}", ""]))) == [Notice(None, "message", {"n": 7})]


def test_comments_and_notices_without_data_are_left_out() -> None:
    assert list(notices(iter([": still here", "", "event: nothing", "", "data:1", ""]))) == [Notice(None, "message", 1)]
