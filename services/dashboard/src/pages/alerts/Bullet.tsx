/** The present number against its thresholds: a bar with a tick at each, and what comes next in words. */
import type { Alert } from "../../api/alerts";
import { exactMoney } from "../../format/format";
import { Hidden } from "../../ui/ui";
import css from "./bullet.module.css";
import { roundText, valueText } from "./metrics";
import { standingOf } from "./standing";

export function Bullet({ alert }: { alert: Alert }) {
  const { unit, condition, evaluation } = alert;
  if (!evaluation) return <span className={css["soft"]}>not evaluated yet</span>;
  if (condition === "anomaly") return <Unusual alert={alert} />;
  const { value, marks, next, isBeyond, top } = standingOf(alert);
  if (alert.state === "NO_DATA" && !Number(evaluation.requests))
    return <span className={css["soft"]}>no requests</span>;
  if (value === null) return <span className={css["soft"]}>unknown</span>;
  const side = alert.direction === "below" ? "at or below" : "at";
  return (
    <span className={css["bullet"]} data-level={alert.state}>
      <span className={css["line"]}>
        <b title={unit === "usd" ? exactMoney(evaluation.value) : undefined} data-now={String(evaluation.value)}>
          {valueText(value, unit)}
        </b>
        {next && (
          <span>
            <Hidden>of </Hidden>
            <span aria-hidden="true">/ </span>
            {roundText(next.value, unit)}
          </span>
        )}
      </span>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect y="2" width="100" height="4" rx="1" className={css["track"]} />
        <rect y="2" width={Math.max(0, (value / top) * 100)} height="4" className={css["fill"]} />
        {marks.map((mark) => (
          <rect
            key={mark.value}
            x={Math.min(99, Math.max(0, (mark.value / top) * 100))}
            width="1"
            height="8"
            className={css["tick"]}
            data-level={mark.level}
          />
        ))}
      </svg>
      <small>
        {condition === "forecast" && "by the end of the window · "}
        {isBeyond
          ? marks.length > 1
            ? "all steps reached"
            : "threshold reached"
          : `${next?.level.toLowerCase()} ${side} ${next?.label || roundText(next?.value, unit)}`}
      </small>
    </span>
  );
}

function Unusual({ alert }: { alert: Alert }) {
  const { evaluation, state, unit } = alert;
  if (state === "NO_DATA") return <span className={css["soft"]}>no requests</span>;
  const isUnusual = Number(evaluation?.compared ?? 0) >= 1;
  return (
    <span className={css["line"]}>
      {isUnusual && evaluation?.value != null && <b>{valueText(evaluation.value, unit)}</b>}
      <span>{isUnusual ? "is unusual" : "nothing unusual"}</span>
    </span>
  );
}
