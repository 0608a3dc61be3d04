/** What was said, one message below the other. */
import { type ReactNode, useState } from "react";
import type { OneRequest } from "../../api/requests";
import { count } from "../../format/format";
import { Button, classes, Tag } from "../../ui/ui";
import { Code } from "./Code";
import { errorOf, type Message, received, sent } from "./conversation";
import { PartView } from "./PartView";
import css from "./request.module.css";

const SHOWN = 40; // messages; a long conversation begins with its end

export function Conversation({ row }: { row: OneRequest }) {
  const asked = sent(row.request_body);
  const answers = received(row.response_body);
  const failure = errorOf(row.response_body);
  const [isWhole, setWhole] = useState(asked.length <= SHOWN);
  const shown = isWhole ? asked : asked.slice(-SHOWN);
  return (
    <>
      {!isWhole && (
        <Button onClick={() => setWhole(true)}>Show the {count(asked.length - SHOWN)} earlier messages</Button>
      )}
      {shown.map((message, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a conversation never changes
        <MessageView key={index} message={message} />
      ))}
      {!asked.length && <Unread title="request" body={row.request_body} />}
      {answers.map((message, index) => {
        const title = answers.length > 1 ? `Response ${index + 1}` : "Response";
        // biome-ignore lint/suspicious/noArrayIndexKey: a conversation never changes
        return <MessageView key={index} message={message} isAnswer title={title} />;
      })}
      {failure && (
        <p className={css["failed"]} role="note">
          {failure}
        </p>
      )}
      {!answers.length && !failure && <Unread title="response" body={row.response_body} />}
      {isBroken(row.response_body) && <p className={css["warn"]}>The stream broke off: this is what had come.</p>}
    </>
  );
}

function isBroken(body: unknown): boolean {
  return typeof body === "object" && body !== null && "farebox_truncated" in body;
}

/** A body that is no conversation: as it stands, or why there is none. */
function Unread({ title, body }: { title: string; body: unknown }) {
  if (body === null || body === undefined || body === "") {
    return (
      <p className={css["absent"]}>
        The body of the {title} was not kept: it was empty, or the client or the operator leaves it out. Its cost is not
        affected.
      </p>
    );
  }
  const isText = typeof body === "string";
  const isCut = isText && /^\s*[[{]/.test(body);
  return (
    <section className={css["message"]}>
      <h3 className={css["role"]}>{title}</h3>
      {isCut && (
        <p className={css["warn"]}>This body is no whole JSON: it was larger than what is kept, or it broke off.</p>
      )}
      <Code text={isText ? body : JSON.stringify(body, null, 2)} />
    </section>
  );
}

function MessageView(props: { message: Message; isAnswer?: boolean; title?: string }): ReactNode {
  const { message, isAnswer, title } = props;
  return (
    <article className={classes(css["message"], isAnswer && css["answer"])} data-role={message.role}>
      <h3 className={css["role"]}>
        <span>{title ?? message.role}</span>
        {message.note && <Tag kind="warn">{message.note}</Tag>}
      </h3>
      {message.parts.length === 0 && <p className={css["absent"]}>Nothing was said.</p>}
      {message.parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a message never changes
        <PartView key={index} part={part} />
      ))}
    </article>
  );
}
