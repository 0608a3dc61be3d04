/** Who is notified: any of the channels that the organization has. */
import { Link } from "@tanstack/react-router";
import { type Channel, useChannels } from "../../api/channels";
import { Loaded } from "../../ui/ui";
import css from "./channels.module.css";
import { removedOf, targetText } from "./words";

interface Props {
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  /** Those that cannot be chosen, and why. */
  unfit?: (channel: Channel) => string | undefined;
  legend?: string;
}

export function ChannelPicker({ chosen, onChange, unfit, legend = "Channels" }: Props) {
  const channels = useChannels();
  return (
    <fieldset className={css["picks"]}>
      <legend>{legend}</legend>
      <Loaded answer={channels} height={28}>
        {({ data }) => (
          <>
            {data.map((channel) => {
              const why = unfit?.(channel);
              return (
                <label key={channel.id}>
                  <input
                    type="checkbox"
                    checked={chosen.includes(channel.id)}
                    disabled={why !== undefined}
                    onChange={({ target }) =>
                      onChange(target.checked ? [...chosen, channel.id] : chosen.filter((id) => id !== channel.id))
                    }
                  />
                  <span>
                    {channel.name} <small>{why ?? targetText(channel)}</small>
                  </span>
                </label>
              );
            })}
            <Removed
              ids={removedOf(chosen, data)}
              onEnd={(ids) => onChange(chosen.filter((id) => !ids.includes(id)))}
            />
            {!data.length && (
              <small>
                There are none yet: <Link to="/settings">add one in the settings</Link>.
              </small>
            )}
          </>
        )}
      </Loaded>
    </fieldset>
  );
}

/** What was chosen and is no more: shown, so that it can be taken out. */
function Removed({ ids, onEnd }: { ids: readonly string[]; onEnd: (ids: readonly string[]) => void }) {
  if (!ids.length) return null;
  return (
    <label className={css["removed"]}>
      <input type="checkbox" checked onChange={() => onEnd(ids)} />
      {ids.length === 1 ? "a removed channel" : `${ids.length} removed channels`}
    </label>
  );
}
