/** Any figures by any two dimensions, as a table, a pivot or a chart: one report, and all of it in the URL. */
import { type Grouping, type Report, useReport } from "../../api/queries";
import { answeredPeriod, usePublish } from "../../frame/published";
import { useAnswered } from "../../state/answered";
import { dimensionTitle } from "../../state/dimensions";
import { useView } from "../../state/view";
import { NothingFound } from "../../ui/NothingFound";
import { Card, Loaded } from "../../ui/ui";
import { Chart } from "./Chart";
import { Controls } from "./Controls";
import { FlatTable } from "./FlatTable";
import { measureOf } from "./measures";
import { PivotTable } from "./PivotTable";
import { pivotOf } from "./pivot";
import { type Exploration, explorationOf, exportQuestion, questionOf } from "./question";

const HEIGHT = 420;

export default function Explore() {
  const view = useView();
  const exploration = explorationOf(view.search);
  const report = useReport(questionOf(view, exploration));
  const answered = useAnswered(exploration, !report.isPlaceholderData);
  usePublish({
    seal: report.data?.seal,
    period: answeredPeriod(report),
    exported: { path: "/v1/report", body: exportQuestion(view, exploration), name: "farebox-report" },
    takesTime: true,
  });
  return (
    <>
      <Controls exploration={exploration} />
      <Card title={titleOf(exploration)} isStale={report.isPlaceholderData} flush={exploration.view !== "chart"}>
        <Loaded answer={report} height={HEIGHT}>
          {({ data }) => <Shown report={data} exploration={answered} />}
        </Loaded>
      </Card>
    </>
  );
}

function titleOf({ measures, main, by, across, view }: Exploration): string {
  const figures = view === "chart" ? [main] : measures;
  const names = figures.map((name) => measureOf(name).title);
  const shown = names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", ");
  const dimensions = [by, across].flatMap((name) => (name ? [dimensionTitle(name)] : [])).join(" and ");
  return `${shown.charAt(0).toUpperCase()}${shown.slice(1)} by ${dimensions}`;
}

function Shown({ report, exploration }: { report: Report; exploration: Exploration }) {
  const { by, across, measures, view } = exploration;
  if (Number(report.total["requests"] ?? 1) === 0 && !report.rows.length && !report.rest)
    return <NothingFound what="request" />;
  const [rows, columns] = report.breakdowns as (Grouping | undefined)[];
  const isPivot = rows !== undefined && columns !== undefined && across !== undefined;
  if (view === "chart") return <Chart report={report} exploration={exploration} />;
  if (view === "pivot" && isPivot)
    return (
      <PivotTable
        pivot={pivotOf(by, across, measures, report as Grouping, rows, columns)}
        exploration={exploration}
        across={across}
      />
    );
  return <FlatTable report={report} exploration={exploration} />;
}
