/** Text with its line breaks and blocks of code; long ones are cut until they are asked for. */
import { Fragment, useState } from "react";
import { count } from "../../format/format";
import { classes } from "../../ui/ui";
import { Code } from "./Code";
import css from "./request.module.css";
import { inlineOf, segmentsOf } from "./segments";

const LONG = 1400; // characters, or
const TALL = 24; // lines: about the height that is shown

export function Text({ text }: { text: string }) {
  const isLong = text.length > LONG || text.split("\n", TALL + 1).length > TALL;
  const [isOpen, setOpen] = useState(!isLong);
  return (
    <>
      <div className={classes(css["block"], !isOpen && css["cut"])}>
        {segmentsOf(text).map((segment, index) =>
          segment.language === undefined ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: a text never changes
            <Prose key={index} text={segment.text} />
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: a text never changes
            <Code key={index} text={segment.text} language={segment.language} />
          ),
        )}
      </div>
      {isLong && (
        <button type="button" className={css["more"]} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Show less" : `Show all ${count(text.length)} characters`}
        </button>
      )}
    </>
  );
}

function Prose({ text }: { text: string }) {
  return (
    <div className={css["text"]}>
      {inlineOf(text).map((piece, index) => {
        const Element = piece.style ?? Fragment;
        // biome-ignore lint/suspicious/noArrayIndexKey: a text never changes
        return <Element key={index}>{piece.text}</Element>;
      })}
    </div>
  );
}
