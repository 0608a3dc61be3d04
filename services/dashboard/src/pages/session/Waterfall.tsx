/** Steps below each other along one axis of time: what each took, with which model, what it cost, and its share. */
import type { RequestRow } from "../../api/requests";
import { compactCount, type Maybe, milliseconds, pluralize } from "../../format/format";
import { ShareBar } from "../../ui/GroupTable";
import { isControl } from "../../ui/Ledger";
import { Cost, classes, LinkButton, Tag } from "../../ui/ui";
import { duration, type Line, type Scale, scaleOf } from "./waterfall";
import css from "./waterfall.module.css";

const FAILED = 400;

interface Props {
  lines: readonly Line[];
  total: Maybe;
  chosen: number;
  onOpen: (row: RequestRow) => void;
}

export function Waterfall({ lines, total, chosen, onOpen }: Props) {
  const scale = scaleOf(lines);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: on a phone it scrolls by key
    <section className={css["scroll"]} tabIndex={0} aria-label="Steps of the session">
      <table className={css["table"]} data-table="waterfall">
        <thead>
          <tr>
            <th>step</th>
            <th className={css["time"]}>
              <Axis scale={scale} />
            </th>
            <th className={css["optional"]}>model</th>
            <th className={classes(css["figure"], css["optional"])}>tokens</th>
            <th className={classes(css["figure"], css["small"])}>latency</th>
            <th className={css["figure"]}>cost</th>
            <th className={classes(css["figure"], css["small"])}>share</th>
          </tr>
        </thead>
        <tbody data-rows="Steps">
          {lines.map((line, index) => (
            <Step key={line.key} {...{ line, index, scale, total, onOpen }} isChosen={index === chosen} />
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td>Total</td>
            <td />
            <td className={css["optional"]} />
            <td className={css["optional"]} />
            <td className={css["small"]} />
            <td className={css["figure"]} data-cell="total">
              <Cost value={total} />
            </td>
            <td className={css["small"]} />
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

interface StepProps {
  line: Line;
  index: number;
  scale: Scale;
  total: Maybe;
  isChosen: boolean;
  onOpen: (row: RequestRow) => void;
}

function Step({ line, index, scale, total, isChosen, onOpen }: StepProps) {
  const { request, depth, label, path, cost, unpriced } = line;
  return (
    <tr
      className={classes(!request && css["group"], isChosen && css["chosen"], request && css["link"])}
      data-line={index}
      data-step={request ? request.request_id : undefined}
      onClick={(event) => request && !isControl(event.target) && onOpen(request)}
    >
      <td className={css["name"]}>
        <span style={{ paddingLeft: depth * 16 }} title={path}>
          {request ? (
            <LinkButton onClick={() => onOpen(request)} title={path}>
              {label}
            </LinkButton>
          ) : (
            <>
              {label} <span className={css["soft"]}>{pluralize(line.requests, "request")}</span>
            </>
          )}
          <Status request={request} />
        </span>
      </td>
      <td className={css["time"]}>
        <Bar line={line} scale={scale} />
      </td>
      <td className={classes(css["model"], css["optional"])}>{request && (request.model || request.request_model)}</td>
      <td className={classes(css["figure"], css["optional"])}>{request && tokensOf(request)}</td>
      <td className={classes(css["figure"], css["small"])}>
        {request ? milliseconds(request.delay_ms) : duration(line.end - line.start)}
      </td>
      <td className={css["figure"]} data-cell="cost">
        <Cost value={cost} unpriced={request ? 0 : unpriced} />
      </td>
      <td className={classes(css["figure"], css["share"], css["small"])}>
        <ShareBar part={cost} of={total} />
      </td>
    </tr>
  );
}

function Status({ request }: { request: RequestRow | undefined }) {
  if (!request) return null;
  if (request.outcome === "cached") return <Tag kind="good">cached</Tag>;
  const code = Number(request.response_status);
  return code >= FAILED || code < 0 ? <Tag kind="bad">{code < 0 ? request.outcome : code}</Tag> : null;
}

function tokensOf(row: RequestRow): string {
  if (row.prompt_tokens === null && row.completion_tokens === null) return "unknown";
  return `${compactCount(row.prompt_tokens ?? 0)} → ${compactCount(row.completion_tokens ?? 0)}`;
}

function Bar({ line, scale }: { line: Line; scale: Scale }) {
  const from = scale.placeOf(line.start);
  const to = scale.placeOf(line.end);
  const failed =
    line.request && (Number(line.request.response_status) >= FAILED || Number(line.request.response_status) < 0);
  return (
    <div className={css["lane"]}>
      {scale.breaks.map((one) => (
        <i
          key={one.from}
          className={css["break"]}
          style={{ left: `${one.from * 100}%`, width: `${(one.to - one.from) * 100}%` }}
          title={`${duration(one.ms)} without a request`}
        />
      ))}
      <i
        className={classes(
          css["bar"],
          !line.request && css["span"],
          failed && css["failed"],
          line.request?.outcome === "cached" && css["cached"],
        )}
        style={{ left: `${from * 100}%`, width: `max(3px, ${(to - from) * 100}%)` }}
        title={`${line.path}: ${duration(line.end - line.start)}`}
      />
    </div>
  );
}

function Axis({ scale }: { scale: Scale }) {
  return (
    <div className={css["axis"]}>
      <span className={css["hidden"]}>time since the first request</span>
      {scale.ticks.map(({ at, ms, isAfterBreak }) => (
        <span
          key={ms}
          aria-hidden="true"
          className={classes(css["tick"], at > 0.9 && css["last"])}
          style={{ left: `${at * 100}%` }}
        >
          {isAfterBreak ? `+${duration(ms)}` : duration(ms)}
        </span>
      ))}
    </div>
  );
}
