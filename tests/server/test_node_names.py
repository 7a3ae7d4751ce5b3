from pathlib import Path

from rota.server.logexchange import all_names


def test_a_data_directory_remembers_what_its_servers_were_called(tmp_path: Path) -> None:
    assert all_names(tmp_path, "a") == all_names(tmp_path, "a") == {"a"}
    assert all_names(tmp_path, "b") == {"a", "b"}
    assert (tmp_path / "node.names").read_text() == "a\nb\n"
