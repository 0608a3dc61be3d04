import { createRootRoute, createRoute, createRouter, Link, lazyRouteComponent } from "@tanstack/react-router";
import { Frame } from "./frame/Frame";
import { Overview } from "./pages/overview/Overview";
import { parseSearch, type Search } from "./state/search";
import { Empty } from "./ui/ui";

const root = createRootRoute({
  component: Frame,
  validateSearch: (raw: Record<string, unknown>): Search => parseSearch(raw),
  notFoundComponent: () => (
    <Empty>
      There is no such page. <Link to="/">To the overview</Link>
    </Empty>
  ),
});

const overview = createRoute({ getParentRoute: () => root, path: "/", component: Overview });
const explore = createRoute({
  getParentRoute: () => root,
  path: "/explore",
  component: lazyRouteComponent(() => import("./pages/explore")),
});
const users = createRoute({
  getParentRoute: () => root,
  path: "/users",
  component: lazyRouteComponent(() => import("./pages/users")),
});
const user = createRoute({
  getParentRoute: () => root,
  path: "/users/$userId",
  component: lazyRouteComponent(() => import("./pages/user")),
});
const sessions = createRoute({
  getParentRoute: () => root,
  path: "/sessions",
  component: lazyRouteComponent(() => import("./pages/sessions")),
});
const session = createRoute({
  getParentRoute: () => root,
  path: "/sessions/$sessionId",
  component: lazyRouteComponent(() => import("./pages/session")),
});
const requests = createRoute({
  getParentRoute: () => root,
  path: "/requests",
  component: lazyRouteComponent(() => import("./pages/requests/Requests"), "Requests"),
});
const request = createRoute({
  getParentRoute: () => root,
  path: "/requests/$requestId",
  component: lazyRouteComponent(() => import("./pages/request/RequestPage"), "RequestPage"),
});
const alerts = createRoute({
  getParentRoute: () => root,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./pages/alerts")),
});
const newAlert = createRoute({
  getParentRoute: () => root,
  path: "/alerts/new",
  component: lazyRouteComponent(() => import("./pages/alert-form"), "NewAlert"),
});
const alert = createRoute({
  getParentRoute: () => root,
  path: "/alerts/$alertId",
  component: lazyRouteComponent(() => import("./pages/alert")),
});
const editedAlert = createRoute({
  getParentRoute: () => root,
  path: "/alerts/$alertId/edit",
  component: lazyRouteComponent(() => import("./pages/alert-form"), "EditedAlert"),
});
const cache = createRoute({
  getParentRoute: () => root,
  path: "/cache",
  component: lazyRouteComponent(() => import("./pages/cache")),
});
const budgets = createRoute({
  getParentRoute: () => root,
  path: "/budgets",
  component: lazyRouteComponent(() => import("./pages/budgets")),
});
const budget = createRoute({
  getParentRoute: () => root,
  path: "/budgets/$budgetId",
  component: lazyRouteComponent(() => import("./pages/budget")),
});
const prices = createRoute({
  getParentRoute: () => root,
  path: "/prices",
  component: lazyRouteComponent(() => import("./pages/prices")),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/settings")),
});

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    explore,
    users,
    user,
    sessions,
    session,
    requests,
    request,
    alerts,
    newAlert,
    alert,
    editedAlert,
    cache,
    budgets,
    budget,
    prices,
    settings,
  ]),
  basepath: "/dashboard",
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
