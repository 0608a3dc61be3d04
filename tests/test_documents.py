"""README.md says what there is: every header, column, operator, measure, setting and endpoint, and none that is not."""

import re
from pathlib import Path

import pytest

from schemas.tables import OPERATORS, TABLES, Kind
from services.cli.env_file import environment_file
from services.domain.exchange.helicone_headers import KNOWN_HEADERS, Treatment
from services.domain.exchange.routes import Routes, origins_of
from services.proxy.app import PAGES
from services.proxy.log_endpoint import POSTED
from services.settings.environment import PREFIX
from services.settings.processes import ALL_SETTINGS, ProxySettings
from services.sql.measures import MEASURES
from services.sql.sort import SORTS
from tests.support.openapi import documentation

ROOT = Path(__file__).parents[1]
FILES = (
    "README.md",
    "services/proxy/README.md",
    "services/query/README.md",
    "services/query/channels/README.md",
    "services/query/reports/README.md",
    "services/query/exports/README.md",
    "services/query/prices/README.md",
    "deploy/README.md",
)
README = "\n".join((ROOT / name).read_text() for name in FILES)  # as one: what is where is checked by its headings
KINDS = {  # as the table of columns calls them
    Kind.TEXT: "text",
    Kind.UUID: "id",
    Kind.NUMBER: "number",
    Kind.MONEY: "money",
    Kind.TIMESTAMP: "timestamp",
    Kind.FLAG: "flag",
    Kind.TEXT_MAP: "map",
    Kind.NUMBER_MAP: "scores",
    Kind.MAP_KEY: "name in a map",
    Kind.BODY: "body",
}
TERMS = {part for term in re.findall(r"`([^`\n]+)`", README) for part in (term, *term.split())}


def _first_cells(section: str, title: str) -> list[str]:
    """The terms in the first column of the table whose first column has this title."""
    found = re.search(rf"^\| {re.escape(title)} \|.*\n\|---.*\n((?:\|.*\n)*)", section, re.MULTILINE)
    assert found, title
    return [term for row in found[1].splitlines() for term in re.findall(r"`([^`]+)`", row.split("|")[1])]


def _section(title: str) -> str:
    """The text under a heading, up to the next of any level."""
    found = re.search(rf"^#+ {re.escape(title)}$(.*?)^#", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


TITLES = {
    Treatment.OBEYED: "obeyed header",
    Treatment.REFUSED: "refused header",
    Treatment.HARMLESS: "header passed over",
}


@pytest.mark.parametrize("treatment", Treatment)
def test_every_header_of_a_request_is_named_under_what_becomes_of_it_and_no_other(treatment: Treatment) -> None:
    reported = _first_cells(_section("Headers"), TITLES[treatment])
    known = [known.name for known in KNOWN_HEADERS.values() if known.treatment is treatment]
    assert sorted(reported) == sorted(known)


def test_every_header_of_a_response_is_named_and_no_other() -> None:
    sources = [
        (ROOT / "services" / name).read_text()
        for name in (
            *(
                "proxy/errors.py",
                "proxy/exchange/exchange.py",
                "proxy/exchange/request_times.py",
                "proxy/log_endpoint.py",
                "proxy/upstream/cached_call.py",
            ),
            *("proxy/upstream/attempts/plan.py", "proxy/upstream/limited_call.py", "domain/limits/policy.py"),
            *("proxy/budgets/check.py", "domain/budgets/refusal.py"),
        )
    ]
    named = {
        name
        for source in sources
        for name in re.findall(r'\(b"((?:farebox|helicone)-[a-z-]+)", ', source, re.IGNORECASE)
    }
    reported = _first_cells(_section("Headers"), "response header")
    assert sorted(name.lower() for name in reported) == sorted({name.lower() for name in named})


def test_every_column_is_named_under_its_operators() -> None:
    rows = re.findall(r"^\| ([\w, ]+) \| (`.*?) \| (.*?) \|$", _section("Filters"), re.MULTILINE)
    reported = {
        column: kind.split(",")[0] for kind, columns, _ in rows for column in re.findall(r"`([\w-]+)`", columns)
    }
    constant = re.search(r"every row here: (.*?)\.\n", _section("Filters"), re.DOTALL)
    assert constant
    columns = TABLES["request_response_rmt"].columns
    assert {name: KINDS[column.kind] for name, column in columns.items() if name in reported} == reported
    assert set(columns) - set(reported) == set(re.findall(r"`([\w-]+)`", constant[1]))


def test_every_table_operator_and_sort_is_named_and_no_other_sort() -> None:
    section = _section("Filters")
    reported = set(re.findall(r"`([\w-]+)`", section))
    assert set(TABLES) - reported == set()
    operators = {operator.value for allowed in OPERATORS.values() for operator in allowed}
    assert operators - reported == set()
    sorts = re.search(r"^Sorts: (.*?)\.$", section, re.MULTILINE | re.DOTALL)
    assert sorts
    assert set(re.findall(r"`(\w+)`", sorts[1])) == {*SORTS, "properties", "random"}


def test_every_measure_is_named_and_no_other() -> None:
    assert set(re.findall(r"`(\w+)`", _section("Measures of `POST /v1/report`"))) == set(MEASURES)


def test_every_setting_is_named_with_its_default_and_no_other() -> None:
    reported = dict(re.findall(rf"`{PREFIX}(\w+)=([^`]*)`", _section("Settings")))
    known = {name.upper(): str(field.default) for kind in ALL_SETTINGS for name, field in kind.model_fields.items()}
    assert reported == known
    mentioned = set(re.findall(rf"\b{PREFIX}([A-Z_]+)\b", README))
    assert mentioned <= known.keys()


def test_every_endpoint_is_named_and_no_other(tmp_path: Path) -> None:
    paths = documentation(tmp_path)["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    reported = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[\w/{}-]*)`", _section("Endpoints")))
    assert reported == served


def test_every_path_of_the_proxy_is_named() -> None:
    routes = Routes(origins_of(ProxySettings.from_environ({}).base_urls()))
    assert {*routes.known, *POSTED, *PAGES} <= TERMS


@pytest.mark.parametrize("name", [*FILES, "services/README.md", ".github/CONTRIBUTING.md"])
def test_files_and_headings_that_are_pointed_at_are_there(name: str) -> None:
    document = ROOT / name
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        titles = {
            re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", file.read_text() if anchor else "", re.MULTILINE)
        }
        assert not anchor or anchor in titles, target


def test_readme_and_architecture_show_the_same_main_path_of_files_that_are_there() -> None:
    paths = [
        re.findall(r"^\| \d+ \| .*?\((.*?)\).*$", (ROOT / name).read_text(), re.MULTILINE)
        for name in ("README.md", "services/README.md")
    ]
    steps = [path.removeprefix("services/") for path in paths[0]]
    assert steps == paths[1]
    assert len(steps) == 10
    assert all((ROOT / "services" / step).exists() for step in steps)


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 275


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+(?: [a-z-]+)*):", makefile, re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    assert set(re.findall(r"\bmake ([a-z-]+)`", README)) <= known


def test_the_environment_file_is_what_the_command_prints() -> None:
    assert (ROOT / "deploy/env.example").read_text() == environment_file()


def test_the_environment_file_is_one_that_the_processes_accept() -> None:
    lines = [line for line in environment_file().splitlines() if line and not line.startswith("#")]
    environ = dict(line.split("=", 1) for line in lines)
    for kind in ALL_SETTINGS:
        assert kind.from_environ(environ) == kind.from_environ({})
