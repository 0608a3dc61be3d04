/** From the first message of an alert to its resolution, the latest first. */
import { Link } from "@tanstack/react-router";
import type { Alert, Episode } from "../../api/alerts";
import { absolute, relative } from "../../format/time";
import { Sheet } from "../../ui/Sheet";
import { classes } from "../../ui/ui";
import css from "./alerts.module.css";
import { metricOf, valueText } from "./metrics";
import { StateMark } from "./State";
import { durationText } from "./sentence";

interface Props {
  episodes: readonly Episode[];
  zone: string;
  /** Where it is not said of which alert: those that still are. */
  alerts?: readonly Pick<Alert, "id">[];
}

const MINUTE_MS = 60_000;
const HEADS = [
  { title: "began" },
  { title: "lasted" },
  { title: "worst" },
  { title: "number then", isFigure: true, className: css["optional"] },
];

export function EpisodesTable({ episodes, zone, alerts }: Props) {
  const now = Date.now();
  const known = new Set(alerts?.map(({ id }) => id));
  const heads = alerts ? [{ title: "alert" }, ...HEADS] : HEADS;
  return (
    <Sheet label="When alerts fired" name="episodes" heads={heads}>
      <tbody>
        {episodes.map((one) => (
          <tr key={one.id} data-episode={one.alert_name}>
            {alerts && (
              <td>
                {known.has(one.alert_id) ? (
                  <Link to="/alerts/$alertId" params={{ alertId: one.alert_id }} search={(old) => old}>
                    {one.alert_name}
                  </Link>
                ) : (
                  one.alert_name
                )}
              </td>
            )}
            <td title={absolute(one.alert_start_time, zone)}>{relative(one.alert_start_time, now, zone)}</td>
            <td>{one.alert_end_time ? lasted(one.alert_start_time, one.alert_end_time) : "still fires"}</td>
            <td>
              <StateMark state={one.state} />
            </td>
            <td className={classes(css["figure"], css["optional"])}>
              {one.value === null ? "–" : valueText(one.value, metricOf(one.alert_metric).unit)}
            </td>
          </tr>
        ))}
      </tbody>
    </Sheet>
  );
}

/** In whole minutes, as alerts are evaluated. */
function lasted(start: string, end: string): string {
  const minutes = Math.max(1, Math.round((Date.parse(end) - Date.parse(start)) / MINUTE_MS));
  if (minutes < 60) return durationText(minutes * MINUTE_MS);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return hours >= 48 ? `${Math.floor(hours / 24)} days ${hours % 24} h` : `${hours} h ${rest} min`;
}
