from rota.store.connection import Connection

ADD = "INSERT INTO nodes (id, started_at, seen_at) {values} ON CONFLICT DO NOTHING RETURNING id"


def test_a_batch_says_which_rows_were_new(c: Connection) -> None:
    assert sorted(c.batch(ADD, "text bigint bigint", [("a", 1, 1), ("b", 2, 2)])) == [("a",), ("b",)]
    assert c.batch(ADD, "text bigint bigint", [("b", 1, 1), ("c", 2, 2)]) == [("c",)]


def test_an_empty_batch_does_nothing(c: Connection) -> None:
    assert c.batch(ADD, "text bigint bigint", []) == []


def test_a_batch_of_any_size_is_complete(c: Connection) -> None:
    rows = [(f"n{i}", i, i) for i in range(1_003)]
    assert len(c.batch(ADD, "text bigint bigint", rows)) == 1_003
    assert c.row("SELECT COUNT(*) FROM nodes") == (1_003,)


def test_a_batch_updates_through_a_cte_with_other_values_around_it(c: Connection) -> None:
    c.batch(ADD, "text bigint bigint", [("a", 1, 1), ("b", 2, 2), ("c", 3, 3)])
    sql = """
        WITH batch (id, seen_at) AS ({values})
        UPDATE nodes SET seen_at = batch.seen_at + ? FROM batch WHERE nodes.id = batch.id AND nodes.started_at > ?
        RETURNING nodes.id, nodes.seen_at"""
    assert sorted(c.batch(sql, "text bigint", [("a", 10), ("b", 20), ("x", 30)], (5, 1))) == [("b", 25)]


def test_a_batch_serves_as_the_list_of_an_in(c: Connection) -> None:
    c.batch(ADD, "text bigint bigint", [("a", 1, 1), ("b", 2, 2), ("c", 3, 3)])
    sql = "SELECT id FROM nodes WHERE seen_at < ? AND id IN ({values}) AND started_at > ?"
    assert sorted(c.batch(sql, "text", [("a",), ("b",), ("c",)], (3, 0))) == [("a",), ("b",)]


def test_nulls_floats_and_booleans_are_stored_alike(c: Connection) -> None:
    c.run("INSERT INTO projects (name, created_at) VALUES (?, ?)", ("p", True))
    assert c.row("SELECT name, created_at FROM projects") == ("p", 1)
    sql = "WITH batch (a, b) AS ({values}) SELECT a, b FROM batch"
    assert c.batch(sql, "float8 text", [(1, None), (0.5, "x"), (None, "y")]) == [(1.0, None), (0.5, "x"), (None, "y")]


def test_a_percent_sign_is_just_a_percent_sign(c: Connection) -> None:
    c.run("INSERT INTO settings (name, value) VALUES (?, ?)", ("rate", "50 %s"))
    assert c.rows("SELECT value FROM settings WHERE name LIKE 'ra%' AND value = ?", ("50 %s",)) == [("50 %s",)]


def test_run_counts_the_rows_it_changed(c: Connection) -> None:
    c.run_many("INSERT INTO settings (name, value) VALUES (?, ?)", [("a", "1"), ("b", "2")])
    assert c.run("UPDATE settings SET value = ?", ("3",)) == 2
    assert c.row("SELECT value FROM settings WHERE name = ?", ("z",)) is None


def test_ids_compare_by_bytes(c: Connection) -> None:
    for name in ("b", "B", "a", "Z"):
        c.run("INSERT INTO users (id, name, kind, created_at) VALUES (?, ?, 'user', 0)", (name, name))
    assert [row[0] for row in c.rows("SELECT id FROM users ORDER BY id")] == ["B", "Z", "a", "b"]


def test_numbers_of_users_count_up(c: Connection) -> None:
    sql = "INSERT INTO users (id, name, kind, created_at) VALUES (?, ?, 'user', 0) RETURNING number"
    first, second = c.row(sql, ("a", "a")), c.row(sql, ("b", "b"))
    assert first is not None and second is not None and second[0] == first[0] + 1
