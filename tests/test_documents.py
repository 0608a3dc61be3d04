"""README.md says what there is: every header, column, operator, measure, setting and endpoint, and none that is not."""

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.tables import OPERATORS, TABLES, Kind
from services.cli.env_file import environment_file
from services.domain.exchange.helicone_headers import KNOWN_HEADERS, Treatment
from services.domain.exchange.routes import Routes, origins_of
from services.domain.logging_api.event import LOG_PATHS
from services.proxy.app import PAGES
from services.query.app import create_app
from services.query.dependencies import QueryStores, Service
from services.settings import ALL_SETTINGS, PREFIX, ProxySettings
from services.sql.measures import MEASURES
from services.sql.sort import SORTS
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from services.stores.clock import SystemClock
from services.stores.memory import MemoryLog, MemorySink
from services.stores.shipped_prices.book import ShippedPrices
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.prices import SqlPriceRows
from services.stores.state.reprices import SqlReprices
from services.stores.state.secrets import SqlSecrets
from services.telemetry import QUERY_METRICS, Metrics

ROOT = Path(__file__).parents[1]
FILES = ("README.md", "services/proxy/README.md", "services/query/README.md", "deploy/README.md")
README = "\n".join((ROOT / name).read_text() for name in FILES)  # as one: what is where is checked by its headings
KINDS = {  # as the table of columns calls them
    Kind.TEXT: "text",
    Kind.UUID: "id",
    Kind.NUMBER: "number",
    Kind.MONEY: "money",
    Kind.TIMESTAMP: "timestamp",
    Kind.FLAG: "flag",
    Kind.TEXT_MAP: "map",
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
    told = _first_cells(_section("Headers"), TITLES[treatment])
    known = [known.name for known in KNOWN_HEADERS.values() if known.treatment is treatment]
    assert sorted(told) == sorted(known)


def test_every_header_of_an_answer_is_named_and_no_other() -> None:
    sources = [
        (ROOT / "services/proxy" / name).read_text()
        for name in ("errors.py", "exchange/exchange.py", "log_endpoint.py")
    ]
    named = {name for source in sources for name in re.findall(r'\(b"(helicone-[a-z-]+)", ', source, re.IGNORECASE)}
    told = _first_cells(_section("Headers"), "response header")
    assert sorted(told) == sorted({name.title() for name in named})


def test_every_column_is_named_under_its_operators() -> None:
    rows = re.findall(r"^\| ([\w, ]+) \| (`.*?) \| (.*?) \|$", _section("Filters"), re.MULTILINE)
    told = {column: kind.split(",")[0] for kind, columns, _ in rows for column in re.findall(r"`([\w-]+)`", columns)}
    constant = re.search(r"every row here: (.*?)\. The tables", _section("Filters"), re.DOTALL)
    assert constant
    columns = TABLES["request_response_rmt"].columns
    assert {name: KINDS[column.kind] for name, column in columns.items() if name in told} == told
    assert set(columns) - set(told) == set(re.findall(r"`([\w-]+)`", constant[1]))


def test_every_table_operator_and_sort_is_named_and_no_other_sort() -> None:
    section = _section("Filters")
    told = set(re.findall(r"`([\w-]+)`", section))
    assert set(TABLES) - told == set()
    operators = {operator.value for allowed in OPERATORS.values() for operator in allowed}
    assert operators - told == set()
    sorts = re.search(r"^Sorts: (.*?)\.$", section, re.MULTILINE | re.DOTALL)
    assert sorts
    assert set(re.findall(r"`(\w+)`", sorts[1])) == {*SORTS, "properties", "random"}


def test_every_measure_is_named_and_no_other() -> None:
    assert set(re.findall(r"`(\w+)`", _section("Measures of `POST /v1/report`"))) == set(MEASURES)


def test_every_setting_is_named_with_its_default_and_no_other() -> None:
    told = dict(re.findall(rf"`{PREFIX}(\w+)=([^`]*)`", _section("Settings")))
    known = {name.upper(): str(field.default) for kind in ALL_SETTINGS for name, field in kind.model_fields.items()}
    assert told == known
    mentioned = set(re.findall(rf"\b{PREFIX}([A-Z_]+)\b", README))
    assert mentioned <= known.keys()


async def _no_logs(_scope: dict[str, Any], _receive: object, _send: object) -> None: ...


def test_every_endpoint_is_named_and_no_other(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/none"
    metrics = Metrics(QUERY_METRICS)
    stores = QueryStores(
        warehouse=ClickHouseWarehouse(f"chdb:{tmp_path}/none", query_timeout_s=1),
        keys=SqlKeyStore(state),
        price_rows=SqlPriceRows(state),
        reprices=SqlReprices(state),
        secrets=SqlSecrets(state),
        sink=MemorySink(MemoryLog(), metrics=metrics),
    )
    app = create_app(Service(stores, shipped=ShippedPrices(), clock=SystemClock(), metrics=metrics), logs=_no_logs)
    served = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    told = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[\w/{}-]*)`", _section("Endpoints")))
    assert told == served


def test_every_path_of_the_proxy_is_named() -> None:
    routes = Routes(origins_of(ProxySettings.from_environ({}).base_urls()))
    assert {*routes.known, *LOG_PATHS, *PAGES} <= TERMS


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
    assert len((ROOT / "README.md").read_text().splitlines()) <= 260


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
