import { budgetRoutes } from './budgets.ts';
import type { AdminRoute } from './http/admin-route.ts';
import { spendRoutes } from './spend/routes.ts';

/** Every route of the admin API, in the order in which documents list them. A resource is a file and a line. */
export const ROUTES: readonly AdminRoute[] = [...budgetRoutes, ...spendRoutes];
