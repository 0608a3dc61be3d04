/** What asks a person for something, above the page. Esc and its button close it, and the focus goes back. */
import { cloneElement, type ReactElement, type ReactNode, useEffect, useId, useRef } from "react";
import css from "./dialog.module.css";
import { Button, classes } from "./ui";

interface Props {
  title: ReactNode;
  onClose: () => void;
  children: ReactNode;
  isWide?: boolean;
}

export function Dialog({ title, onClose, children, isWide }: Props) {
  const place = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = place.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={place}
      className={classes(css["dialog"], isWide && css["wide"])}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header className={css["head"]}>
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" onClick={onClose} aria-label="Close">
          ×
        </Button>
      </header>
      {children}
    </dialog>
  );
}

/** A labelled control, with what it means below. */
export function Field(props: {
  label: string;
  hint?: ReactNode;
  /** Why it was refused, in the server's words: in the place of the hint. */
  fault?: string | undefined;
  isWide?: boolean;
  children: ReactElement<{ "aria-describedby"?: string | undefined; "aria-invalid"?: boolean | undefined }>;
}) {
  const id = useId();
  const described = { "aria-describedby": id, ...(props.fault ? { "aria-invalid": true } : {}) };
  return (
    <div className={classes(css["field"], props.isWide && css["whole"])}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children */}
      <label>
        <span>{props.label}</span>
        {props.hint || props.fault ? cloneElement(props.children, described) : props.children}
      </label>
      {props.fault ? <Fault id={id}>{props.fault}</Fault> : props.hint && <small id={id}>{props.hint}</small>}
    </div>
  );
}

/** The server's sentence about a field. */
export function Fault({ id, children }: { id?: string; children: ReactNode }) {
  return (
    <small id={id} className={css["fault"]} role="alert">
      {children}
    </small>
  );
}

export function Fields({ children }: { children: ReactNode }) {
  return <div className={css["fields"]}>{children}</div>;
}

/** What a person can do now: the last one is what the dialog is for. */
export function Actions({ children }: { children: ReactNode }) {
  return <div className={css["actions"]}>{children}</div>;
}

/** The end of a form: why it did not work, and the way out beside what saves it. */
export function FormEnd(props: { error: Error | null; isSaving: boolean; onClose: () => void; children: ReactNode }) {
  const { error, isSaving, onClose, children } = props;
  return (
    <>
      <Refusal error={error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" disabled={isSaving}>
          {isSaving ? "Saving…" : children}
        </Button>
      </Actions>
    </>
  );
}

/** Why it did not work, in the server's words. */
export function Refusal({ error }: { error: Error | null }) {
  if (!error) return null;
  return (
    <p className={css["refusal"]} role="alert">
      {error.message}
    </p>
  );
}

export function Note({ children }: { children: ReactNode }) {
  return <p className={css["note"]}>{children}</p>;
}

export function Warning({ children }: { children: ReactNode }) {
  return <p className={css["warning"]}>{children}</p>;
}
