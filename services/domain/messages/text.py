"""Content as plain text, in columns."""

from collections.abc import Iterator, Sequence

from services.domain.messages.content import Content, Table


def text_of(content: Content) -> str:
    """Lines that end with a newline."""
    return "\n".join(_lines(content)) + "\n"


def table_lines(table: Table, *, indent: str = "") -> Iterator[str]:
    """The rows of a table, each cell as wide as its column."""
    rows = [table.header, *table.rows] if table.header else list(table.rows)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = (
            cell.rjust(width) if place in table.numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f"{indent}{'  '.join(cells)}".rstrip()
    if table.note:
        yield f"{indent}{table.note}"


def _lines(content: Content) -> Iterator[str]:
    yield from (content.title, "", content.sentence)
    if content.facts:
        yield from ("", *_facts([(fact.label, fact.value) for fact in content.facts]))
    for table in content.tables:
        yield from ("", table.title, *table_lines(table, indent="  "))
    if content.link:
        yield from ("", content.link)


def _facts(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(label) for label, _ in facts)
    return (f"  {label.ljust(width)}  {value}" for label, value in facts)
