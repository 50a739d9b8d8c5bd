import type { AdminRoute } from '../http/admin-route.ts';
import { activityRoutes } from './activity.ts';
import { costRoutes } from './costs.ts';
import { dailyActivityRoutes } from './daily-activity.ts';
import { globalRoutes } from './global.ts';
import { logRoutes } from './logs.ts';
import { providerBudgetRoutes } from './provider-budgets.ts';
import { reportRoutes } from './report.ts';
import { standingRoutes } from './standings.ts';

/** Everything that is told about spend. */
export const spendRoutes: readonly AdminRoute[] = [
  ...logRoutes,
  ...standingRoutes,
  ...costRoutes,
  ...globalRoutes,
  ...reportRoutes,
  ...activityRoutes,
  ...dailyActivityRoutes,
  ...providerBudgetRoutes,
];
