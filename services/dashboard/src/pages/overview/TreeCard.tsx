import type { ReactNode } from "react";
import type { Report } from "../../api/queries";
import { count, type Maybe } from "../../format/format";
import { useDrill } from "../../state/view";
import { ShareBar } from "../../ui/GroupTable";
import grid from "../../ui/table.module.css";
import { Card, Cost, classes, LinkButton, Loaded } from "../../ui/ui";
import css from "./overview.module.css";
import { DETAILS } from "./questions";
import { type Branch, branchesOf, type Figures, restOf } from "./tree";

interface Props {
  answer: { data: { data: Report } | undefined; error: Error | null; refetch: () => unknown };
  isStale: boolean;
}

export function TreeCard({ answer, isStale }: Props) {
  return (
    <Card title="Environments and features" isStale={isStale} note="share of the level above">
      <Loaded answer={answer} height={300}>
        {({ data }) => <Tree report={data} />}
      </Loaded>
    </Card>
  );
}

function Tree({ report: { breakdowns, total } }: { report: Report }) {
  const [environments, pairs] = [breakdowns[DETAILS.environments], breakdowns[DETAILS.tree]];
  if (!environments || !pairs) return null;
  const rest = restOf(environments);
  return (
    <table className={grid["table"]} data-table="tree">
      <thead>
        <tr>
          <th>environment, feature</th>
          <th className={grid["figure"]}>requests</th>
          <th className={grid["figure"]}>cost</th>
          <th className={grid["figure"]}>share</th>
        </tr>
      </thead>
      <tbody>
        {branchesOf(environments, pairs).map((branch) => (
          <BranchRows key={branch.name ?? "\0"} branch={branch} of={total["cost_usd"]} />
        ))}
        {rest && (
          <TreeRow figures={rest} of={total["cost_usd"]}>
            other environments
          </TreeRow>
        )}
      </tbody>
    </table>
  );
}

function BranchRows({ branch, of }: { branch: Branch; of: Maybe }) {
  const drill = useDrill();
  const open = () => drill("@Environment", branch.name);
  return (
    <>
      <TreeRow figures={branch} of={of}>
        <LinkButton onClick={open}>{branch.name ?? "(no environment)"}</LinkButton>
      </TreeRow>
      {branch.leaves.map((leaf) => (
        <TreeRow key={leaf.name ?? "\0"} figures={leaf} of={branch.cost} isChild>
          <LinkButton onClick={() => drill("@Feature", leaf.name, [["@Environment", "equals", branch.name]])}>
            {leaf.name ?? "(no feature)"}
          </LinkButton>
        </TreeRow>
      ))}
      {branch.rest && (
        <TreeRow figures={branch.rest} of={branch.cost} isChild>
          <LinkButton onClick={open}>other features</LinkButton>
        </TreeRow>
      )}
    </>
  );
}

interface RowProps {
  figures: Figures;
  of: Maybe;
  isChild?: boolean;
  children: ReactNode;
}

function TreeRow({ figures: { cost, requests, unpriced }, of, isChild, children }: RowProps) {
  return (
    <tr className={isChild ? undefined : css["strong"]}>
      <td className={classes(grid["name"], isChild && css["child"])}>{children}</td>
      <td className={grid["figure"]}>{count(requests)}</td>
      <td className={grid["figure"]}>
        <Cost value={cost} unpriced={unpriced} />
      </td>
      <td className={classes(grid["figure"], grid["share"])}>
        <ShareBar part={cost} of={of} />
      </td>
    </tr>
  );
}
