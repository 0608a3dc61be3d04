/** Names of an alert's channels, by id: its explanation has them, so that the page asks nothing for them alone. */
import { useExplanation } from "../../api/alerts";

export function useOwnChannels(alertId: string): ReadonlyMap<string, string> | undefined {
  const channels = useExplanation(alertId).data?.channels;
  return channels && new Map(channels.flatMap(({ id, name, kind }) => (kind === "removed" ? [] : [[id, name]])));
}
