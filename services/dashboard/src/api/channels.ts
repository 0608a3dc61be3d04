/** Channels and scheduled reports, and what an admin key changes there. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Body, call, callTwice, type View } from "./client";

export type Channel = View<"ListedChannel">;
export type NewChannel = View<"NewChannelView">;
export type Delivery = View<"DeliveryView">;
export type ScheduledReport = View<"ScheduledReportView">;

const CHANNELS = "/v1/channels";
const REPORTS = "/v1/scheduled-reports";
const POLL_MS = 700;

export function useChannels() {
  return useQuery({
    queryKey: ["channels", "list"],
    queryFn: ({ signal }) => call<{ data: Channel[] }>(CHANNELS, { signal }),
    refetchInterval: 15_000,
  });
}

/** What was sent through one, or waits; looked at again for as long as something does. */
export function useDeliveries(id: string) {
  return useQuery({
    queryKey: ["channels", "deliveries", id],
    queryFn: ({ signal }) => call<{ data: Delivery[] }>(`${CHANNELS}/${id}/deliveries`, { signal }),
    refetchInterval: ({ state }) => (state.data?.data.some(({ state }) => state === "waiting") ? POLL_MS : 10_000),
  });
}

interface Change {
  path: string;
  method: "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
}

/** Changes a channel or a report, after which both lists are asked for again. */
export function useChange<Shown>() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ path, ...options }: Change) => call<{ data: Shown }>(path, options).then(({ data }) => data),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ["channels"] }),
        client.invalidateQueries({ queryKey: ["reports"] }),
      ]),
  });
}

export const addChannel = (body: Body<"ChannelRequest">): Change => ({ path: CHANNELS, method: "POST", body });
export const changeChannel = (id: string, body: Body<"ChangeChannelRequest">): Change => ({
  path: `${CHANNELS}/${id}`,
  method: "PATCH",
  body,
});
export const removeChannel = (id: string): Change => ({ path: `${CHANNELS}/${id}`, method: "DELETE" });
export const tryChannel = (id: string): Change => ({ path: `${CHANNELS}/${id}/test`, method: "POST", body: {} });

/** Their queries go back to the server, to which a number is no text. */
export function useScheduledReports() {
  return useQuery({
    queryKey: ["reports", "list"],
    queryFn: async ({ signal }) => {
      const [exact, plain] = await callTwice<{ data: ScheduledReport[] }>(REPORTS, signal);
      return { data: exact.data.map((report, index) => ({ ...report, query: plain.data[index]?.query })) };
    },
    refetchInterval: 15_000,
  });
}

type ReportBody = Body<"ScheduledReportRequest">;

export const addReport = (body: ReportBody): Change => ({ path: REPORTS, method: "POST", body });
export const setReport = (id: string, body: ReportBody): Change => ({ path: `${REPORTS}/${id}`, method: "PUT", body });
export const removeReport = (id: string): Change => ({ path: `${REPORTS}/${id}`, method: "DELETE" });
export const sendReport = (id: string): Change => ({ path: `${REPORTS}/${id}/send`, method: "POST", body: {} });

/** What a report would say if it were sent now; nothing is sent. */
export function useReportPreview({ id, name, schedule, channel_ids, query }: ScheduledReport) {
  const { hour, minute, weekday, day } = schedule;
  const clock = { hour: Number(hour), minute: Number(minute), weekday: Number(weekday), day: Number(day) };
  const body = { name, schedule: { ...schedule, ...clock }, channel_ids, query };
  return useQuery({
    queryKey: ["reports", "preview", id],
    queryFn: ({ signal }) =>
      call<{ data: View<"ReportPreview"> }>(`${REPORTS}/preview`, { method: "POST", body, signal }),
    gcTime: 0,
  });
}
