"""The generated blocks of pages, each between two marks."""

from collections.abc import Mapping

from vitexplore.errors import InputError


def with_table(page: str, name: str, table: str) -> str:
    """``page`` with ``table`` between the two marks of ``name``. Raises InputError where they are missing."""
    begin_mark, end_mark = _begin(name), f"<!-- end of {name} -->"
    before, begin, rest = page.partition(begin_mark)
    _, end, after = rest.partition(end_mark)
    if not (begin and end):
        raise InputError(f"the page lacks the marks {begin_mark!r} and {end_mark!r}")
    return f"{before}{begin}\n\n{table.rstrip()}\n\n{end}{after}"


def up_to_date(page: str, blocks: Mapping[str, str]) -> str:
    """``page`` with those of ``blocks`` that it has a mark for; what stands between other marks stays. Raises
    InputError where a block has no end."""
    for name, text in blocks.items():
        if _begin(name) in page:
            page = with_table(page, name, text)
    return page


def _begin(name: str) -> str:
    return f"<!-- {name}: generated, do not edit -->"
