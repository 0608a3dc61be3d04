/** Line icons, 18 pixels. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path d="M9 24V14h4v10zm5.5 0V8h4v16zM20 24v-7h4v7z" fill="var(--on-accent)" />
    </svg>
  );
}

const PATHS = {
  overview: "M3 15V9m4 6V4m4 11V7m4 8v-4",
  explore: "M3 3h12v12H3ZM3 7.2h12M7.4 7.2V15",
  users: "M9 8.6a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8ZM3.4 15.2c.4-2.8 2.6-4.4 5.6-4.4s5.2 1.6 5.6 4.4",
  sessions: "M3 4h6M5.5 9h6M9 14h6",
  requests: "M3 5h12M3 9h12M3 13h8",
  cache:
    "M3.5 4.6C3.5 3.4 6 2.4 9 2.4s5.5 1 5.5 2.2S12 6.8 9 6.8 3.5 5.8 3.5 4.6Zm0 0v8.8c0 1.2 2.5 2.2 5.5 2.2s5.5-1 5.5-2.2V4.6M3.5 9c0 1.2 2.5 2.2 5.5 2.2s5.5-1 5.5-2.2",
  alerts:
    "M9 2.6c-2.8 0-4.3 2-4.3 4.6 0 3.6-1.5 4.4-1.5 5.6h11.6c0-1.2-1.5-2-1.5-5.6C13.3 4.6 11.8 2.6 9 2.6ZM7.4 15.2c.4.5.9.8 1.6.8s1.2-.3 1.6-.8",
  budgets: "M2.6 13.5a6.9 6.9 0 1 1 12.8 0M9 11.4l3-4.2M9 12.6a1 1 0 1 0 0-2 1 1 0 0 0 0 2Z",
  prices: "M9.6 2.8H15v5.4L8.4 14.8a1 1 0 0 1-1.4 0L3 10.8a1 1 0 0 1 0-1.4ZM12 5.9v.1",
  settings: "M3 5.5h7M13.5 5.5H15M3 12.5h1.5M8 12.5h7M11.7 3.8v3.4M6.2 10.8v3.4",
  sun: "M9 12a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM9 1.5v1.6M9 14.9v1.6M1.5 9h1.6M14.9 9h1.6M3.7 3.7l1.1 1.1M13.2 13.2l1.1 1.1M3.7 14.3l1.1-1.1M13.2 4.8l1.1-1.1",
  moon: "M15 10.5A6.3 6.3 0 0 1 7.5 3a6.3 6.3 0 1 0 7.5 7.5Z",
  help: "M6.8 6.6a2.3 2.3 0 1 1 3.3 2.1c-.7.4-1.1.8-1.1 1.6M9 12.9v.1M9 16.2A7.2 7.2 0 1 0 9 1.8a7.2 7.2 0 0 0 0 14.4Z",
  out: "M7 3H4a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h3M11 5.5 14.5 9 11 12.5M14.2 9H7",
  link: "M7.5 10.5a3 3 0 0 0 4.3 0l2.3-2.3A3 3 0 0 0 9.8 3.9l-.9.9M10.5 7.5a3 3 0 0 0-4.3 0L3.9 9.8a3 3 0 0 0 4.3 4.3l.9-.9",
  download: "M9 3v8m0 0L5.8 7.8M9 11l3.2-3.2M3.5 14.5h11",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      width="18"
      height="18"
      viewBox="0 0 18 18"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
