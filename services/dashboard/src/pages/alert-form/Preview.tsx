/** When the alert would have fired, had it been there: it follows the form. */
import type { useBacktest } from "../../api/alerts";
import { groupingOf } from "../../api/queries";
import { pluralize } from "../../format/format";
import { filterOf } from "../../state/filter";
import { Card, Empty, Loaded, Skeleton } from "../../ui/ui";
import { metricOf } from "../alerts/metrics";
import { EventsTable, firedText, PastChart } from "../alerts/past";
import { figureText, sentenceOf, type Watched } from "../alerts/sentence";
import { type Draft, marksOfDraft, UNITS_MS } from "./draft";
import css from "./form.module.css";

export const PREVIEW_DAYS = 30;
const SHOWN = 6;

interface Props {
  draft: Draft;
  /** A filter that chips cannot say. */
  kept: unknown;
  answer: ReturnType<typeof useBacktest>;
  /** The form says something else by now. */
  isPending: boolean;
  isComplete: boolean;
}

export function Preview({ draft, kept, answer, isPending, isComplete }: Props) {
  const watched = watchedOf(draft, kept);
  const { unit } = metricOf(draft.metric);
  return (
    <aside className={css["preview"]} aria-label="Back-test">
      <Card
        title="Would it have fired?"
        note={`the last ${PREVIEW_DAYS} days`}
        isStale={isPending || answer.isPlaceholderData}
      >
        <p className={css["sentence"]}>{sentenceOf(watched)}</p>
        {!isComplete ? (
          <Empty>Give a threshold to see when it would have fired.</Empty>
        ) : answer.error ? (
          <Empty>What the form says cannot be tried: {answer.error.message}</Empty>
        ) : answer.isLoading ? (
          <Skeleton height={320} />
        ) : (
          <Loaded answer={answer} height={320}>
            {(backtest) => (
              <div className={css["tried"]}>
                <p className={css["verdict"]} data-fired={String(backtest.fired)} role="status">
                  It <b>{firedText(backtest, PREVIEW_DAYS)}</b>
                  {draft.by.length > 0 && `, looking at ${pluralize(backtest.groups, "group")}`}
                  {backtest.truncated && ", and there are more than are shown"}.
                </p>
                <PastChart
                  backtest={backtest}
                  marks={marksOfDraft(draft)}
                  unit={unit}
                  title={figureText(watched)}
                  zone={draft.zone}
                />
                <EventsTable events={backtest.events} unit={unit} zone={draft.zone} most={SHOWN} />
                {backtest.events.length > SHOWN && (
                  <p className={css["foot"]}>
                    The latest {SHOWN} of {pluralize(backtest.events.length, "message")}.
                  </p>
                )}
              </div>
            )}
          </Loaded>
        )}
      </Card>
    </aside>
  );
}

function watchedOf(draft: Draft, kept: unknown): Watched {
  return {
    metric: draft.metric,
    aggregation: draft.aggregation,
    percentile: draft.percentile,
    condition: draft.condition,
    time_window: String(Number(draft.length) * UNITS_MS[draft.unit]),
    calendar: draft.window === "calendar" ? draft.calendar : null,
    time_zone: draft.zone,
    by: draft.by.map((name) => groupingOf(name) as Record<string, string>),
    filter: kept ?? filterOf(draft.chips),
  };
}
