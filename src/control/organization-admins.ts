import type { Store } from '../store/store.ts';
import type { Caller } from './http/caller.ts';
import { refused } from './http/refused.ts';

/** The role of a member who administers his organization: its teams, their keys and its members (litellm.md §5.8). */
const ORGANIZATION_ADMIN = 'org_admin';
/** Organizations of one user. */
const MOST = 1000;

/** The organizations that a user administers. */
export async function organizationsOf({ read }: Store, userId: string): Promise<ReadonlySet<string>> {
  const where = { user_id: userId, user_role: ORGANIZATION_ADMIN };
  const { rows } = await read.organizationMemberships.list({ where, limit: MOST });
  return new Set(rows.map(({ organization_id }) => organization_id));
}

/** Whether the caller administers this organization; nobody but an admin of the gateway administers what is in none. */
export function administersOrganization(caller: Caller, organizationId: string | null): boolean {
  if (caller.kind === 'admin') return true;
  return caller.kind === 'user' && organizationId !== null && caller.organizations.has(organizationId);
}

/** @throws Refused when the caller does not administer it */
export function checkOrganization(caller: Caller, organizationId: string | null | undefined): void {
  if (administersOrganization(caller, organizationId ?? null)) return;
  const message =
    organizationId == null
      ? 'Only an admin of the gateway may do this outside of organizations. Name one that you administer: organization_id.'
      : `Only an admin of the organization, or of the gateway, may do this. organization_id=${organizationId.slice(0, 200)}`;
  throw refused('not-yours', message, 'organization_id');
}
