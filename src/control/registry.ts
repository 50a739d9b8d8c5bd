import { auditRoutes } from './audit.ts';
import { budgetRoutes } from './budgets.ts';
import { credentialRoutes } from './credentials.ts';
import { customerRoutes } from './customers.ts';
import { documentRoutes } from './documents/routes.ts';
import type { AdminRoute } from './http/admin-route.ts';
import { keyRoutes } from './keys/routes.ts';
import { modelRoutes } from './models.ts';
import { organizationRoutes } from './organizations.ts';
import { spendRoutes } from './spend/routes.ts';
import { tagRoutes } from './tags.ts';
import { teamRoutes } from './teams/routes.ts';
import { tenantRoutes } from './tenants.ts';
import { userRoutes } from './users/routes.ts';

/** Every resource of the admin API, in the order in which documents list them: a file and a line each. */
const RESOURCES: readonly AdminRoute[] = [
  ...keyRoutes,
  ...tenantRoutes,
  ...userRoutes,
  ...teamRoutes,
  ...organizationRoutes,
  ...customerRoutes,
  ...budgetRoutes,
  ...tagRoutes,
  ...modelRoutes,
  ...credentialRoutes,
  ...spendRoutes,
  ...auditRoutes,
];

/** Every route of the admin API. */
export const ROUTES: readonly AdminRoute[] = [...RESOURCES, ...documentRoutes(RESOURCES)];
