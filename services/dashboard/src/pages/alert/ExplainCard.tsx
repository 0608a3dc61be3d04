/** The guide's troubleshooting list, answered by the server; what is wrong is marked. */
import { type Alert, type Explanation, useExplanation } from "../../api/alerts";
import { Card, Hidden, Loaded } from "../../ui/ui";
import css from "./alert.module.css";
import { sentence, withFigures, withTimes } from "./words";

type Check = Explanation["checks"][number];

export function ExplainCard({ alert, zone }: { alert: Alert; zone: string }) {
  const answer = useExplanation(alert.id);
  const fires = alert.state === "WARNING" || alert.state === "CRITICAL";
  return (
    <Card title={fires ? "Why does it fire?" : "Why is it silent?"} note="as of now">
      <Loaded answer={answer} height={420}>
        {({ summary, checks }) => (
          <>
            <p className={css["summary"]} data-summary>
              {sentence(withFigures(withTimes(summary, zone)))}
            </p>
            <ul className={css["checks"]}>
              {checks.map((check) => (
                <li key={check.check} data-check={check.check} data-ok={String(check.ok)}>
                  <Mark ok={check.ok} />
                  <b>{sentence(check.check).slice(0, -1)}</b>
                  <span />
                  <p>{sentence(withFigures(withTimes(check.answer, zone)))}</p>
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </Card>
  );
}

const PATHS = { true: "M3.5 8.5 6.5 11.5 12.5 4.5", false: "M8 3v6M8 12.4v.2", null: "M4 8h8" } as const;
const WORDS = { true: "in order: ", false: "to look at: ", null: "not known: " } as const;

/** A tick, an exclamation mark or a dash, and the same in words for those who hear it. */
function Mark({ ok }: Pick<Check, "ok">) {
  const name = String(ok) as keyof typeof PATHS;
  return (
    <>
      <svg
        width="16"
        height="16"
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        <path d={PATHS[name]} />
      </svg>
      <Hidden>{WORDS[name]}</Hidden>
    </>
  );
}
