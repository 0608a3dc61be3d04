/** One part of a message. */
import { count } from "../../format/format";
import { Tag } from "../../ui/ui";
import { Code } from "./Code";
import type { Part } from "./conversation";
import css from "./request.module.css";
import { Text } from "./Text";

export function PartView({ part }: { part: Part }) {
  switch (part.kind) {
    case "text":
      return <Text text={part.text} />;
    case "thinking":
      return <Thinking text={part.text} />;
    case "refusal":
      return (
        <div className={css["refusal"]}>
          <Tag kind="warn">refusal</Tag> {part.text}
        </div>
      );
    case "image":
      return <img className={css["image"]} src={part.source} alt="In the message" />;
    case "audio":
      return (
        <div className={css["media"]}>
          {/* biome-ignore lint/a11y/useMediaCaption: the transcript stands below it, where there is one */}
          {part.source && <audio controls src={part.source} aria-label="Sound in the message" />}
          {part.transcript && <Text text={part.transcript} />}
        </div>
      );
    case "video":
      return (
        // biome-ignore lint/a11y/useMediaCaption: nobody knows what is said in it
        <video className={css["image"]} controls src={part.source} aria-label="Video in the message" />
      );
    case "link":
      return (
        <div className={css["elsewhere"]}>
          <Tag>{part.what}</Tag>
          <a href={part.url} target="_blank" rel="noreferrer noopener">
            {part.url}
          </a>
          <span className={css["soft"]}>lies elsewhere, and is not loaded here</span>
        </div>
      );
    case "file":
      return (
        <div className={css["elsewhere"]}>
          <Tag>file</Tag> {part.name}
        </div>
      );
    case "call":
      return (
        <div className={css["tool"]}>
          <div className={css["toolHead"]}>
            calls <b>{part.name}</b>
          </div>
          <Code text={part.input} />
        </div>
      );
    case "result":
      return (
        <div className={css["tool"]}>
          <div className={css["toolHead"]}>
            result{part.name && " of "}
            <b>{part.name}</b> {part.isError && <Tag kind="bad">error</Tag>}
          </div>
          {part.text && <Code text={part.text} />}
          {part.images.map((source) => (
            <img key={source.slice(-64)} className={css["image"]} src={source} alt="In the result" />
          ))}
        </div>
      );
    case "sources":
      return <Sources items={part.items} />;
    case "vectors":
      return (
        <div className={css["elsewhere"]}>
          <Tag>
            {count(part.count)} {part.count === 1 ? "vector" : "vectors"}
          </Tag>{" "}
          of {count(part.dimensions)} dimensions:{" "}
          <code>[{part.first.map((one) => Number(one.toPrecision(4))).join(", ")}, …]</code>
        </div>
      );
    case "ranking":
      return <Ranking rows={part.rows} />;
    case "json":
      return (
        <details className={css["thinking"]}>
          <summary>{part.title}</summary>
          <Code text={part.text} />
        </details>
      );
  }
}

function Thinking({ text }: { text: string }) {
  if (!text) return <p className={css["absent"]}>Thinking, which the provider does not show.</p>;
  return (
    <details className={css["thinking"]}>
      <summary>Thinking, {count(text.length)} characters</summary>
      <div className={css["text"]}>{text}</div>
    </details>
  );
}

function Sources({ items }: { items: { title: string; url: string }[] }) {
  return (
    <ul className={css["sources"]} aria-label="Sources">
      {items.map(({ title, url }) => (
        <li key={url || title}>
          {/^https?:\/\//.test(url) ? (
            <a href={url} target="_blank" rel="noreferrer noopener">
              {title || url}
            </a>
          ) : (
            title || url
          )}
        </li>
      ))}
    </ul>
  );
}

const RANKED = 10;

function Ranking({ rows }: { rows: { index: number; score: number; text: string }[] }) {
  return (
    <table className={css["invoice"]}>
      <thead>
        <tr>
          <th>document</th>
          <th className={css["figure"]}>relevance</th>
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, RANKED).map((row) => (
          <tr key={row.index}>
            <td>{row.text || `number ${row.index + 1}`}</td>
            <td className={css["figure"]}>{row.score.toFixed(3)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
