/** Who may do what, who is notified, and what runs: keys, channels, reports, the system, and what it keeps. */
import { useSession } from "../../api/queries";
import { usePublish } from "../../frame/published";
import { useView } from "../../state/view";
import { ChannelsCard } from "../channels/ChannelsCard";
import { ReportsCard } from "../scheduled/ReportsCard";
import { KeysCard } from "./KeysCard";
import { SystemCards } from "./SystemCards";
import css from "./settings.module.css";

const MAY: Record<string, string> = {
  admin:
    "It may see everything, send requests, change prices, budgets and channels, re-price requests and manage keys.",
  rw: "It may see everything and send requests. Prices, budgets, channels and keys take an admin key.",
  r: "It may see everything, and change nothing. Prices, budgets, channels and keys take an admin key.",
};

export default function Settings() {
  const session = useSession().data;
  const { zone } = useView();
  usePublish({});
  return (
    <>
      <div className={css["top"]}>
        <h1>Settings</h1>
        {session && (
          <p className={css["soft"]} data-may={session.permission}>
            Signed in with <b>{session.name}</b> (…{session.hint}). {MAY[session.permission]}
          </p>
        )}
      </div>
      <KeysCard isAdmin={session?.permission === "admin"} zone={zone} />
      <ChannelsCard isAdmin={session?.permission === "admin"} zone={zone} />
      <ReportsCard isAdmin={session?.permission === "admin"} zone={zone} />
      <SystemCards zone={zone} />
    </>
  );
}
