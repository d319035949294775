from service.sanitise import encodable, harmless, storable, visible


def test_no_cell_is_a_formula() -> None:
    assert [harmless(text) for text in ("=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＠x")] == [
        "'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "'\nx", "'＝1", "'＠x",
    ]  # fmt: skip
    assert harmless("a=1") == "a=1" and harmless("") == ""


def test_a_name_that_is_no_text_has_escapes() -> None:
    assert encodable("日本\udcff.jpg") == "日本\\udcff.jpg"


def test_what_a_database_cannot_keep_is_replaced() -> None:
    assert storable("a\x00b\ud800c\n\x7f") == "a\ufffdb\ufffdc\ufffd\ufffd"
    assert storable("日本 =1\u202e") == "日本 =1\u202e"
    assert storable(None) is None


def test_what_a_terminal_acts_on_or_does_not_show_is_replaced() -> None:
    assert visible("a\x1b[2Jb\u202ec\n") == "a\ufffd[2Jb\ufffdc\ufffd"
    assert visible("日本 =1") == "日本 =1"
