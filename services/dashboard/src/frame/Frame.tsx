import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useCallback, useRef } from "react";
import { forgetAnswers, signOut, useSession } from "../api/queries";
import { switchTheme, useTheme } from "../theme/theme";
import { Button, ErrorNote, Menu } from "../ui/ui";
import { Bar } from "./Bar";
import { Crumbs } from "./Crumbs";
import { FiringMark } from "./FiringMark";
import css from "./frame.module.css";
import { Icon, Mark } from "./icons";
import { useKeys } from "./keyboard";
import { BAR_ID } from "./OwnBar";
import { PLACES } from "./places";
import { SignIn } from "./SignIn";

export function Frame() {
  const session = useSession();
  if (session.error) {
    return (
      <main className={css["signIn"]}>
        <ErrorNote error={session.error} retry={session.refetch} />
      </main>
    );
  }
  if (session.data === undefined) return null;
  return session.data === null ? <SignIn /> : <SignedInFrame name={session.data.name} hint={session.data.hint} />;
}

/** Where there is no room for all of them beside the page, they are a menu. */
function Places({ onChoose }: { onChoose?: () => void }) {
  return PLACES.map(({ to, name, key, icon }) => (
    <Link
      key={to}
      to={to}
      search={(old) => old}
      className={css["place"] ?? ""}
      activeOptions={{ exact: to === "/", includeSearch: false }}
      {...(onChoose ? { onClick: onChoose } : {})}
    >
      <Icon name={icon} /> {name} {to === "/alerts" && <FiringMark />} <kbd>g {key}</kbd>
    </Link>
  ));
}

function placeAt(path: string): string {
  return PLACES.find(({ to }) => to !== "/" && path.startsWith(to))?.name ?? PLACES[0].name;
}

const KEYS = [
  ["/", "filter"],
  ...PLACES.map(({ key, name }) => [`g ${key}`, `go to ${name}`] as const),
  ["j  k", "next and previous row"],
  ["Enter", "open the row"],
  ["Esc", "back, or close"],
  ["?", "this help"],
] as const;

function SignedInFrame({ name, hint }: { name: string; hint: string }) {
  const help = useRef<HTMLDialogElement>(null);
  const showHelp = useCallback(() => help.current?.showModal(), []);
  const theme = useTheme();
  const client = useQueryClient();
  const path = useRouterState({ select: (state) => state.location.pathname });
  useKeys(showHelp);

  async function leave() {
    await signOut();
    client.setQueryData(["session"], null);
    forgetAnswers(client);
  }

  return (
    <div className={css["frame"]}>
      <nav className={css["rail"]} aria-label="Pages">
        <Link to="/" search={(old) => old} className={css["brand"] ?? ""} aria-label="Farebox">
          <Mark /> <span>Farebox</span>
        </Link>
        <div className={css["places"]}>
          <Places />
        </div>
        <div className={css["pages"]}>
          <Menu label={`Page: ${placeAt(path)}`} button={<>{placeAt(path)} ▾</>}>
            {(close) => <Places onChoose={close} />}
          </Menu>
        </div>
        <div className={css["foot"]}>
          <div className={css["footRow"]}>
            <Button kind="quiet" onClick={switchTheme} aria-label={theme === "dark" ? "Light theme" : "Dark theme"}>
              <Icon name={theme === "dark" ? "sun" : "moon"} />
            </Button>
            <Button kind="quiet" onClick={showHelp} aria-label="Keyboard help">
              <Icon name="help" />
            </Button>
            <Button kind="quiet" onClick={() => void leave()} aria-label="Sign out">
              <Icon name="out" />
            </Button>
          </div>
          <div className={css["who"]} title={`The key of this session ends with ${hint}`}>
            {name}
          </div>
        </div>
      </nav>
      <div className={css["main"]}>
        <div className={css["bar"]} id={BAR_ID}>
          {!/^\/(requests\/.|alerts|budgets|prices|settings)/.test(path) && <Bar path={path} />}
        </div>
        <main className={css["page"]}>
          {!path.startsWith("/alerts") && <Crumbs path={path} />}
          <Outlet />
        </main>
      </div>
      <dialog ref={help} className={css["help"]} aria-labelledby="help-title">
        <h2 id="help-title">Keyboard</h2>
        <dl>
          {KEYS.map(([keys, what]) => [
            <dt key={keys}>
              <kbd>{keys}</kbd>
            </dt>,
            <dd key={what}>{what}</dd>,
          ])}
        </dl>
        <form method="dialog">
          <Button type="submit">Close</Button>
        </form>
      </dialog>
    </div>
  );
}
