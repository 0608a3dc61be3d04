/** What was sent through a channel, with every attempt; and what becomes of a test while one looks. */
import { type Channel, type Delivery, useDeliveries } from "../../api/channels";
import { milliseconds } from "../../format/format";
import { absolute, clock } from "../../format/time";
import { Actions, Dialog, Note } from "../../ui/Dialog";
import { Scroll } from "../../ui/Scroll";
import grid from "../../ui/table.module.css";
import { Button, Empty, Loaded, Tag } from "../../ui/ui";
import css from "./channels.module.css";
import { isTried, outcomeOf, targetText } from "./words";

const ATTEMPTS: Record<Delivery["attempts"][number]["outcome"], string> = {
  started: "under way",
  delivered: "delivered",
  retrying: "not taken",
  failed: "given up",
};

interface Props {
  channel: Channel;
  onClose: () => void;
}

export function TestDialog({ channel, sent, onClose }: Props & { sent: Delivery }) {
  const { data, error } = useDeliveries(channel.id);
  const delivery = data?.data.find(({ notice_id }) => notice_id === sent.notice_id) ?? sent;
  const { title, kind, detail } = outcomeOf(delivery);
  const took = delivery.attempts.at(-1)?.duration_ms;
  return (
    <Dialog title={`A test to ${channel.name}`} onClose={onClose}>
      <Note>It goes to {targetText(channel)}, as every notice does.</Note>
      <p className={css["outcome"]} role="status" data-outcome={delivery.state}>
        <Tag kind={kind}>{isTried(delivery) ? title : "on its way…"}</Tag>
        <span>
          {detail || (isTried(delivery) ? "" : "the scheduler sends it within seconds")}
          {took !== null && took !== undefined && ` in ${milliseconds(took)}`}
        </span>
      </p>
      {error && <Note>{error.message}</Note>}
      <Actions>
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </Actions>
    </Dialog>
  );
}

export function LogDialog({ channel, zone, onClose }: Props & { zone: string }) {
  const deliveries = useDeliveries(channel.id);
  return (
    <Dialog title={`What was sent to ${channel.name}`} onClose={onClose} isWide>
      <Loaded answer={deliveries} height={200}>
        {({ data }) =>
          data.length ? (
            <Scroll label="What was sent">
              <table className={grid["table"]} data-table="deliveries">
                <thead>
                  <tr>
                    <th>notice</th>
                    <th>state</th>
                    <th>attempts</th>
                  </tr>
                </thead>
                <tbody>
                  {data.map((delivery) => (
                    <Line key={delivery.notice_id} delivery={delivery} zone={zone} />
                  ))}
                </tbody>
              </table>
            </Scroll>
          ) : (
            <Empty>Nothing was sent through it yet.</Empty>
          )
        }
      </Loaded>
      <Actions>
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </Actions>
    </Dialog>
  );
}

function Line({ delivery, zone }: { delivery: Delivery; zone: string }) {
  const { title, kind } = outcomeOf(delivery);
  return (
    <tr className={css["delivery"]}>
      <td>
        {delivery.name} <small>{delivery.kind}</small>
        <small className={css["block"]}>{absolute(delivery.created_at, zone)}</small>
      </td>
      <td>
        <Tag kind={kind}>{title}</Tag>
        {delivery.due_at && <small className={css["block"]}>again at {clock(delivery.due_at, zone)}</small>}
      </td>
      <td>
        {delivery.attempts.length === 0 && <small>none yet</small>}
        <ol className={css["attempts"]}>
          {delivery.attempts.map((attempt) => (
            <li key={Number(attempt.number)}>
              {clock(attempt.at, zone)} {ATTEMPTS[attempt.outcome]}
              {attempt.status !== null && `, status ${attempt.status}`}
              {attempt.duration_ms !== null && `, ${milliseconds(attempt.duration_ms)}`}
              {attempt.error && <small>{attempt.error}</small>}
            </li>
          ))}
        </ol>
      </td>
    </tr>
  );
}
