import { comparedIn, isAnswered, type Report, type useReport } from "../../api/queries";
import { projection } from "../../chart/series";
import { compactMoney, count, exactMoney, type Maybe, moneyChange, percent, pluralize } from "../../format/format";
import { currentMinute, useView } from "../../state/view";
import { Tile } from "../../ui/Tile";
import { BREAKDOWNS, daysLeftInMonth } from "./questions";
import type { Spent } from "./recent";

interface SpentProps {
  title: string;
  note: string;
  answer: ReturnType<typeof useReport>;
  read: (report: Report) => Spent;
  isMonth?: boolean;
}

/** What a period has cost so far, and what the same stretch before did. */
export function SpentTile({ title, note, answer, read, isMonth }: SpentProps) {
  const { zone } = useView();
  return (
    <Tile
      title={title}
      answer={answer}
      read={({ data }) => {
        const { cost, requests, attempts, unpriced, change, shape } = read(data);
        const daysLeft = daysLeftInMonth(zone, currentMinute());
        const expected = isMonth ? projection(shape, daysLeft) : null;
        const band = expected && expected[1] > 0 ? expected : null;
        return {
          figure: attempts === 0 ? "$0.00" : compactMoney(cost),
          exact: exactMoney(cost),
          isPart: unpriced > 0 && cost !== null,
          shape: band ? growing(shape) : shape,
          ahead: band ? { buckets: daysLeft, low: band[0], high: band[1] } : undefined,
          note: (
            <>
              <Change {...{ requests, change, note }} />
              {band && (
                <>
                  <br />
                  <span title="At the pace of the month's whole days; eight of ten such months end within">
                    ends near {compactMoney(band[0])} – {compactMoney(band[1])}
                  </span>
                </>
              )}
            </>
          ),
        };
      }}
    />
  );
}

/** What had been spent by each of the days, so that what is expected at the end can stand beside it. */
export function growing(days: readonly number[]): number[] {
  let spent = 0;
  return days.map((day) => {
    spent += day;
    return spent;
  });
}

function Change({ requests, change, note }: Pick<Spent, "requests" | "change"> & { note: string }) {
  if (change === null) return pluralize(requests, "request");
  if (change.relative === null) return note.replace("vs", "nothing");
  return (
    <>
      <b>{moneyChange(change.absolute, change.relative)}</b> {note}
    </>
  );
}

interface Row {
  measures: Record<string, Maybe>;
}

type Answer = ReturnType<typeof useReport>;

export function SavingsTile({ report, compared }: { report: Answer; compared: Answer }) {
  const { compare } = useView();
  const change = comparedIn(report, compared)?.compared?.total.change["cache_savings_usd"];
  const isAwaited = compare !== "none" && !isAnswered(compared); // its line is kept for it
  return (
    <Tile
      title="Saved by the cache in this range"
      name="Savings"
      answer={report}
      read={({ data: { total, breakdowns } }) => {
        const saved = total["cache_savings_usd"];
        const times = (breakdowns[BREAKDOWNS.time]?.rows ?? []) as Row[];
        return {
          figure: Number(total["cache_hits"] ?? 0) === 0 ? "$0.00" : compactMoney(saved),
          exact: exactMoney(saved),
          shape: times.map(({ measures }) => Number(measures["cache_savings_usd"] ?? 0)),
          note: Number(total["cache_requests"]) ? (
            <>
              {(change || isAwaited) && (
                <>
                  <b>{change ? moneyChange(change.absolute as Maybe, change.relative) : "\u00a0"}</b>
                  <br />
                </>
              )}
              {percent(total["cache_hit_rate"], 0)} of {count(total["cache_requests"])} requests that allowed it
            </>
          ) : (
            "no request allowed it"
          ),
        };
      }}
    />
  );
}
