/** The pages of the rail, in its order, and the key that goes to each after `g`. */
import type { IconName } from "./icons";

export const PLACES = [
  { to: "/", name: "Overview", key: "o", icon: "overview" },
  { to: "/explore", name: "Explore", key: "e", icon: "explore" },
  { to: "/users", name: "Users", key: "u", icon: "users" },
  { to: "/sessions", name: "Sessions", key: "s", icon: "sessions" },
  { to: "/requests", name: "Requests", key: "r", icon: "requests" },
  { to: "/cache", name: "Cache", key: "c", icon: "cache" },
  { to: "/alerts", name: "Alerts", key: "a", icon: "alerts" },
  { to: "/budgets", name: "Budgets", key: "b", icon: "budgets" },
  { to: "/prices", name: "Prices", key: "p", icon: "prices" },
  { to: "/settings", name: "Settings", key: ",", icon: "settings" },
] as const satisfies readonly { to: string; name: string; key: string; icon: IconName }[];
