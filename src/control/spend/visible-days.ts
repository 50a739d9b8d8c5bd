import type { DailyFilter } from '../../store/spend-reports.ts';
import type { AdminContext } from '../http/admin-route.ts';
import type { Days } from './dates.ts';
import { sightOf } from './sight.ts';

/** The days of everything that a caller sees, from the smallest table that has them. */
export function visibleDays(context: AdminContext, days: Days): DailyFilter {
  const sight = sightOf(context);
  switch (sight.kind) {
    case 'everything':
      return { subject: 'everything', ...days };
    case 'user':
      return { subject: 'user', ...days, only: { entity: [sight.userId] } };
    case 'key':
      return { subject: 'user', ...days, only: { api_key: [sight.hash] } };
  }
}

/** The same where keys are told apart. */
export function visibleKeyDays(context: AdminContext, days: Days): DailyFilter {
  const filter = visibleDays(context, days);
  return filter.subject === 'everything' ? { ...filter, subject: 'user' } : filter;
}
