/** The number against its thresholds: as it was evaluated in the last day, or as the rule finds it in 30 days. */
import { type Alert, type Evaluation, useBacktest, useEvaluations } from "../../api/alerts";
import { ThresholdChart } from "../../chart/ThresholdChart";
import { thinned } from "../../chart/threshold";
import { absolute, shortly } from "../../format/time";
import { useOwnSearch } from "../../state/sorting";
import { Sheet } from "../../ui/Sheet";
import { Button, Card, classes, Empty, Loaded } from "../../ui/ui";
import { bodyOf, draftOf } from "../alert-form/draft";
import alerts from "../alerts/alerts.module.css";
import { valueText } from "../alerts/metrics";
import { EventsTable, firedText, PastChart, thresholdsOf } from "../alerts/past";
import { StateMark, StateShape } from "../alerts/State";
import { figureText } from "../alerts/sentence";
import { marksOf } from "../alerts/standing";
import css from "./alert.module.css";

const DAYS = 30;
const MOST_POINTS = 300;
const SHOWN = 200;

interface Props {
  alert: Alert;
  zone: string;
}

export function TimelineCard({ alert, zone }: Props) {
  const [own, change] = useOwnSearch();
  const isDay = own["past"] === "day";
  const isTable = own["table"] === true;
  return (
    <Card
      title={isDay ? "As it was evaluated" : `The last ${DAYS} days, by this rule`}
      note={
        <span className={css["switch"]}>
          <Button kind="quiet" onClick={() => change({ past: isDay ? undefined : "day" })}>
            {isDay ? `Show ${DAYS} days` : "Show the last day"}
          </Button>
          <Button kind="quiet" onClick={() => change({ table: isTable ? undefined : true })}>
            {isTable ? "Show the chart" : "Show as a table"}
          </Button>
        </span>
      }
    >
      {isDay ? <LastDay {...{ alert, isTable, zone }} /> : <Past {...{ alert, isTable, zone }} />}
    </Card>
  );
}

interface ShownProps extends Props {
  isTable: boolean;
}

function LastDay({ alert, isTable, zone }: ShownProps) {
  const answer = useEvaluations(alert.id);
  return (
    <Loaded answer={answer} height={280}>
      {({ evaluations }) => <Evaluated {...{ alert, evaluations, isTable, zone }} />}
    </Loaded>
  );
}

function Past({ alert, isTable, zone }: ShownProps) {
  const { channel_ids: _, emails: __, slack_channels: ___, ...rule } = bodyOf(draftOf(alert), alert.filter);
  const answer = useBacktest({ ...rule, since: `${DAYS}d` });
  return (
    <Loaded answer={answer} height={280}>
      {(backtest) => (
        <>
          {isTable ? (
            <div className={css["scroll"]}>
              <EventsTable events={backtest.events} unit={alert.unit} zone={zone} />
            </div>
          ) : (
            <PastChart
              backtest={backtest}
              marks={marksOf(alert)}
              unit={alert.unit}
              title={figureText(alert)}
              zone={zone}
            />
          )}
          <p className={css["foot"]} data-fired={String(backtest.fired)}>
            As it is now, it {firedText(backtest, DAYS)}. All of it is computed from the requests that are stored now.
          </p>
        </>
      )}
    </Loaded>
  );
}

interface EvaluatedProps extends ShownProps {
  evaluations: readonly Evaluation[];
}

const HEADS = [
  { title: "window until" },
  { title: "state" },
  { title: "number", isFigure: true },
  { title: "requests", isFigure: true },
  { title: "messages", isFigure: true, className: alerts["optional"] },
  { title: "complete", className: alerts["optional"] },
];

function Evaluated({ alert, evaluations, isTable, zone }: EvaluatedProps) {
  const { unit } = alert;
  if (!evaluations.length) return <Empty>It was not evaluated yet: that happens each minute.</Empty>;
  if (isTable)
    return (
      <div className={css["scroll"]}>
        <Sheet label="Evaluations" name="evaluations" heads={HEADS}>
          <tbody>
            {evaluations.slice(0, SHOWN).map((one) => (
              <tr key={`${one.at} ${one.evaluated_at}`}>
                <td title={`evaluated ${absolute(one.evaluated_at, zone)}`}>{shortly(one.at, zone)}</td>
                <td>
                  <StateMark state={one.state} />
                </td>
                <td className={alerts["figure"]}>
                  {one.value === null ? one.detail || "–" : valueText(one.value, unit)}
                </td>
                <td className={alerts["figure"]}>{Number(one.requests).toLocaleString("en-US")}</td>
                <td className={classes(alerts["figure"], alerts["optional"])}>{String(one.notices)}</td>
                <td className={alerts["optional"]}>{one.complete ? "yes" : "not yet"}</td>
              </tr>
            ))}
          </tbody>
        </Sheet>
      </div>
    );
  const inTime = [...evaluations].reverse();
  const points = inTime.map(({ at, value }) => ({
    at: Date.parse(at),
    value: value === null ? null : Number(value),
  }));
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0];
  const changes = inTime.filter(({ state }, index) => state !== (inTime[index - 1]?.state ?? state));
  return (
    <ThresholdChart
      title={figureText(alert)}
      start={Math.min(first, last - HOUR_MS)}
      end={last}
      points={thinned(points, MOST_POINTS, alert.direction === "below")}
      thresholds={thresholdsOf(marksOf(alert), unit)}
      happenings={changes.map(({ at, value, state }) => ({
        at: Date.parse(at),
        value: value === null ? null : Number(value),
        shape: <StateShape state={state} />,
        text: `becomes ${state}`,
      }))}
      text={(value) => valueText(value, unit)}
      zone={zone}
    />
  );
}

const HOUR_MS = 3_600_000;
