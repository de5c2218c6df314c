"""daemon.asr.fair_turns: whose chunks are decoded next."""

from __future__ import annotations

from daemon.asr.fair_turns import FairTurns


def _served(turns: FairTurns[str, str], count: int) -> str:
    """The files whose chunks are taken, one at a time."""
    taken = []
    for _ in range(count):
        if (turn := turns.first()) is not None:
            taken += turns.take(turn, 1)
    return "".join(taken)


def test_a_memo_overtakes_a_book_that_is_under_way() -> None:
    turns = FairTurns[str, str]()
    turns.open("book", "b" * 20)
    assert _served(turns, 3) == "bbb"
    turns.open("memo", "mm")
    assert _served(turns, 5) == "mmbbb"


def test_memos_without_end_do_not_starve_a_book() -> None:
    turns = FairTurns[str, str]()
    turns.open("book", "b" * 5)
    served = ""
    for _ in range(40):
        turns.open("memo", "m")
        served += _served(turns, 1)
    assert served.count("b") == 5
    assert served.index("b") <= 5


def test_what_a_chunk_left_open_comes_next_in_its_file() -> None:
    turns = FairTurns[str, str]()
    turn = turns.open("talk", "acd")
    assert turns.take(turn, 1) == ["a"]
    turn.put_back(["b", "B"])
    assert _served(turns, 9) == "bBcd"


def test_a_closed_file_has_no_turn() -> None:
    turns = FairTurns[str, str]()
    turns.close(turns.open("silence", ""))
    assert turns.first() is None
