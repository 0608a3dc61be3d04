/** The bar of every page: when, compared with what, which requests, by what; and how complete it all is.

    A narrow one is a single line: what is chosen less often stands behind a button. */
import { useState } from "react";
import { useProperties } from "../api/queries";
import { absolute, clockChanges, offsetOf } from "../format/time";
import { dimensionTitle, GROUP_COLUMNS, TIMES } from "../state/dimensions";
import { DEFAULT_RANGE, RANGE_TITLES, rangeTitle } from "../state/range";
import { COMPARE_TITLES, COMPARES, RANGES } from "../state/search";
import { currentMinute, useChange, useView } from "../state/view";
import { Button, classes, Menu, MenuItem } from "../ui/ui";
import css from "./bar.module.css";
import { Filter } from "./Filter";
import { Icon } from "./icons";
import { Picker } from "./Picker";
import { usePublished } from "./published";
import { Seal } from "./Seal";
import { Share } from "./Share";
import { Warnings } from "./Warnings";

/** Where no other period is compared with, and where the page's groups are chosen. */
const UNCOMPARED = /^\/(requests|sessions\/.|cache)/;
const GROUPED = /^\/(explore|users\/.+)?$/;

export function Bar({ path }: { path: string }) {
  const { search, zone, compare, by } = useView();
  const change = useChange();
  const { seal, takesTime, isFirstRun } = usePublished();
  const group = takesTime ? (search.by ?? by) : by;
  const [isOpen, setOpen] = useState(false);
  const more = classes(css["more"], isOpen && css["open"]);
  if (isFirstRun) return null;
  return (
    <>
      <RangeMenu />
      <span className={more}>
        <ZoneMenu />
        {!UNCOMPARED.test(path) && (
          <Menu label={`Compared: vs ${COMPARE_TITLES[compare]}`} button={<>vs {COMPARE_TITLES[compare]}</>}>
            {(close) =>
              COMPARES.map((name) => (
                <MenuItem
                  key={name}
                  isChosen={name === compare}
                  onChoose={() => {
                    change({ compare: name === "previous" ? undefined : name });
                    close();
                  }}
                >
                  {COMPARE_TITLES[name]}
                </MenuItem>
              ))
            }
          </Menu>
        )}
      </span>
      <Filter
        key={JSON.stringify(search.filter ?? [])}
        chips={search.filter ?? []}
        onChange={(filter) => change({ filter })}
      />
      <span className={more}>
        {GROUPED.test(path) && (
          <Menu label={`Grouped by ${dimensionTitle(group)}`} button={<>by {dimensionTitle(group)}</>}>
            {(close) => <Groups close={close} />}
          </Menu>
        )}
        <Share />
      </span>
      <Seal seal={seal} zone={zone} />
      <Button
        className={css["toggleMore"]}
        aria-expanded={isOpen}
        aria-label="Time zone, comparison, group and export"
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name="settings" />
      </Button>
      <Warnings path={path} />
    </>
  );
}

/** Asked for when the menu opens: no page needs them before. */
function Groups({ close }: { close: () => void }) {
  const { search, by } = useView();
  const change = useChange();
  const { takesTime } = usePublished();
  const properties = useProperties().data?.data ?? [];
  const sections = [
    { title: "Properties", names: properties.map(({ property }) => `@${property}`) },
    { title: "Time", names: takesTime ? TIMES : [] },
    { title: "Columns", names: GROUP_COLUMNS },
  ];
  const chosen = takesTime ? (search.by ?? by) : by;
  return (
    <Picker
      label="Group"
      sections={sections}
      titleOf={dimensionTitle}
      isChosen={(name) => name === chosen}
      onChoose={(name) => {
        change({ by: name });
        close();
      }}
    />
  );
}

function RangeMenu() {
  const { search, zone } = useView();
  const change = useChange();
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const { period } = usePublished();
  const title = rangeTitle(search, zone);
  const clocks = period ? clockChanges(zone, Date.parse(period.start), Date.parse(period.end)) : [];
  return (
    <Menu label={`Range: ${title}`} button={title}>
      {(close) => (
        <>
          {RANGES.map((range) => (
            <MenuItem
              key={range}
              isChosen={!search.from && range === (search.range ?? DEFAULT_RANGE)}
              onChoose={() => {
                change({ range: range === DEFAULT_RANGE ? undefined : range, from: undefined, to: undefined });
                close();
              }}
            >
              {RANGE_TITLES[range]}
            </MenuItem>
          ))}
          {clocks.map(({ date, hours }) => (
            <p key={date} className={css["clocks"]}>
              Clocks are set on {shortDate(date)}: a day of {hours} hours
            </p>
          ))}
          <form
            className={css["fields"]}
            onSubmit={(event) => {
              event.preventDefault();
              if (from) change({ range: undefined, from, to: to || undefined });
              close();
            }}
          >
            <label>
              From <input type="date" value={from} onChange={(event) => setFrom(event.target.value)} required />
            </label>
            <label>
              Before <input type="date" value={to} min={from} onChange={(event) => setTo(event.target.value)} />
            </label>
            <Button type="submit" kind="primary">
              Show
            </Button>
          </form>
        </>
      )}
    </Menu>
  );
}

function ZoneMenu() {
  const { zone } = useView();
  const change = useChange();
  return (
    <Menu label={`Time zone: ${zone.replaceAll("_", " ")}`} button={zone.replaceAll("_", " ")}>
      {(close) => <Zones {...{ zone, close, change }} />}
    </Menu>
  );
}

const YEAR_MS = 366 * 86_400_000;

/** All IANA zones, each with how far it is ahead, and when its clocks are set next. */
function Zones({ zone, close, change }: { zone: string; close: () => void; change: ReturnType<typeof useChange> }) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const now = currentMinute();
  const [next] = clockChanges(zone, now, now + YEAR_MS);
  const sections = [
    { title: "", names: [...new Set([zone, own, "UTC"])] },
    { title: "All zones", names: Intl.supportedValuesOf("timeZone") },
  ];
  return (
    <>
      <Picker
        label="Time zone"
        placeholder="Berlin, New York, UTC…"
        sections={sections}
        most={30}
        titleOf={(name) => name.replaceAll("_", " ")}
        hintOf={(name) => offsetOf(name, now)}
        isChosen={(name) => name === zone}
        onChoose={(name) => {
          change({ zone: name === own ? undefined : name });
          close();
        }}
      />
      <p className={css["clocks"]}>
        {zone.replaceAll("_", " ")}:{" "}
        {next ? `clocks are next set on ${shortDate(next.date)}, a day of ${next.hours} hours` : "clocks are never set"}
      </p>
    </>
  );
}

function shortDate(date: string): string {
  return absolute(`${date}T12:00:00Z`, "UTC").slice(0, -10);
}
