import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { forgetAnswers, signIn } from "../api/queries";
import { Button } from "../ui/ui";
import css from "./frame.module.css";
import { Mark } from "./icons";

export function SignIn() {
  const client = useQueryClient();
  const [wrong, setWrong] = useState("");
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const key = String(new FormData(event.currentTarget).get("key") ?? "").trim();
    setBusy(true);
    setWrong("");
    try {
      const session = await signIn(key);
      // The session before may have ended by itself, and left its answers.
      forgetAnswers(client);
      client.setQueryData(["session"], session);
    } catch (error) {
      setWrong(error instanceof Error ? sentence(error.message) : "Signing in failed.");
    } finally {
      setBusy(false);
    }
  }

  return (
    <main className={css["signIn"]}>
      <div className={css["signInCard"]}>
        <Mark size={36} />
        <h1>See where the money goes</h1>
        <p>
          Sign in with an API key that may read. <code>farebox keys create --name me --permission r</code> makes one;
          that of the first start is in the file <code>api-key</code> of the data folder.
        </p>
        <form onSubmit={(event) => void submit(event)}>
          <label>
            API key
            <input
              name="key"
              type="password"
              autoComplete="current-password"
              required
              spellCheck={false}
              // biome-ignore lint/a11y/noAutofocus: the one field of the page
              autoFocus
              aria-describedby="wrong"
            />
          </label>
          <div id="wrong" className={css["wrong"]} role="alert" hidden={!wrong}>
            {wrong}
          </div>
          <Button type="submit" kind="primary" disabled={isBusy}>
            {isBusy ? "Checking…" : "Sign in"}
          </Button>
        </form>
      </div>
    </main>
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}
