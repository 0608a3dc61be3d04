/** How many alerts fire now, beside the name of their page. */
import { useAlertStates } from "../api/alerts";
import { pluralize } from "../format/format";
import { Hidden } from "../ui/ui";
import css from "./frame.module.css";

export function FiringMark() {
  const states = useAlertStates().data;
  const [critical, warning] = [Number(states?.CRITICAL ?? 0), Number(states?.WARNING ?? 0)];
  const firing = critical + warning;
  if (!firing) return null;
  const level = critical ? "critical" : "warning";
  return (
    <span className={css["firing"]} data-level={level} title={`${critical} critical, ${warning} warning`}>
      <span aria-hidden="true">{firing}</span>
      <Hidden>{` ${pluralize(firing, "alert")} firing, ${critical} of them critical`}</Hidden>
    </span>
  );
}
