import { z } from 'zod';
import { adminRoute } from '../http/admin-route.ts';

/** Budgets of providers, which this gateway does not have: `provider_budget_config` is read and reported, not obeyed. */
export const providerBudgetRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/provider/budgets'],
    summary: 'List the budgets of providers: there are none.',
    tag: 'spend',
    audience: 'admin',
    input: z.object({}),
    handle: () => ({ providers: {} }),
  }),
];
