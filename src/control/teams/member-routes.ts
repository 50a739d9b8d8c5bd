import { z } from 'zod';
import type { Writers } from '../../store/resources/resources.ts';
import type { TeamRow } from '../../store/schema/identity.ts';
import { shown } from '../fields/shown.ts';
import { amount, count, id, span } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { found, refused } from '../http/refused.ts';
import { type Member, membersOf } from '../membership.ts';
import { ensureUser } from '../users/write.ts';
import { administered, unknown } from './access.ts';
import { addMember, changeMember, noMember, removeMember } from './members.ts';

/** Members of teams (litellm.md §3.6). */

const TAG = 'teams';
const role = z.enum(['admin', 'user']).default('user');
export const member = z.object({ role, user_id: id.nullish(), user_email: id.nullish() });
export type MemberInput = z.output<typeof member>;

/** Adds members; who is not known yet becomes a user. @returns the team as it is now */
export async function addMembers(
  writers: Writers,
  team: TeamRow,
  members: readonly MemberInput[],
  limits: Parameters<typeof addMember>[3],
  context: AdminContext,
): Promise<TeamRow> {
  let current = team;
  for (const { role, ...named } of members) {
    const user = await ensureUser(writers, named, context);
    const place: Member = { user_id: user.user_id, user_email: user.user_email, role };
    current = await addMember(writers, current, place, limits, context);
  }
  return current;
}

const placeLimits = {
  max_budget_in_team: amount.nullish(),
  budget_duration: span.nullish(),
  tpm_limit: count.nullish(),
  rpm_limit: count.nullish(),
};

const addRoute = (path: '/team/member_add' | '/team/bulk_member_add', summary: string) =>
  adminRoute({
    methods: ['POST'],
    paths: [path],
    summary,
    tag: TAG,
    audience: path === '/team/member_add' ? 'role' : 'organization',
    input: z.object({
      team_id: id,
      member: z.union([member, z.array(member).min(1).max(500)]).optional(),
      members: z.array(member).min(1).max(500).optional(),
      ...placeLimits,
    }),
    async handle({ team_id, member, members = [], max_budget_in_team, ...limits }, context) {
      const wanted = [...(Array.isArray(member) ? member : member === undefined ? [] : [member]), ...members];
      if (wanted.length === 0)
        throw refused('bad-fields', 'Whom? Send member: {role, user_id or user_email}.', 'member');
      await administered(team_id, context);
      const place = { max_budget: max_budget_in_team, ...limits };
      return context.store.change(context.actor, async (writers) => {
        const before = found(await writers.teams.get(team_id), unknown(team_id), 'team_id');
        const team = await addMembers(writers, before, wanted, place, context);
        return { ...shown(team), ...(await updated(writers, team, membersOf(before))) };
      });
    },
  });

/** The users and places that an addition made. */
async function updated(writers: Writers, team: TeamRow, before: readonly Member[]) {
  const known = new Set(before.map(({ user_id }) => user_id));
  const added = membersOf(team).filter(({ user_id }) => !known.has(user_id));
  const users = await Promise.all(added.map(({ user_id }) => writers.users.get(user_id)));
  const places = await Promise.all(added.map(({ user_id }) => writers.teamMemberships.get([user_id, team.team_id])));
  return {
    updated_users: users.flatMap((user) => (user === null ? [] : [shown(user)])),
    updated_team_memberships: places.flatMap((place) => (place === null ? [] : [shown(place)])),
  };
}

const who = { user_id: id.nullish(), user_email: id.nullish() };

/** The member who is named by id or email. @throws Refused */
function memberNamed(
  team: TeamRow,
  { user_id, user_email }: { user_id?: string | null | undefined; user_email?: string | null | undefined },
): Member {
  if (user_id == null && user_email == null)
    throw refused('bad-fields', 'Whom? Send user_id or user_email.', 'user_id');
  const member = membersOf(team).find((each) =>
    user_id == null ? each.user_email === user_email : each.user_id === user_id,
  );
  if (member === undefined) throw noMember(team.team_id, user_id ?? user_email ?? '');
  return member;
}

const removeRoute = adminRoute({
  methods: ['POST'],
  paths: ['/team/member_delete'],
  summary: 'Remove a member from a team.',
  tag: TAG,
  audience: 'role',
  input: z.object({ team_id: id, ...who }),
  async handle({ team_id, ...named }, context) {
    await administered(team_id, context);
    const row = await context.store.change(context.actor, async (writers) => {
      const team = found(await writers.teams.get(team_id), unknown(team_id), 'team_id');
      return removeMember(writers, team, memberNamed(team, named).user_id);
    });
    return shown(row);
  },
});

const changeRoute = adminRoute({
  methods: ['POST'],
  paths: ['/team/member_update'],
  summary: 'Change the role or the limits of a member.',
  tag: TAG,
  audience: 'role',
  input: z.object({ team_id: id, ...who, role: z.enum(['admin', 'user']).nullish(), ...placeLimits }),
  async handle({ team_id, user_id, user_email, role, max_budget_in_team, ...limits }, context) {
    await administered(team_id, context);
    const place = { max_budget: max_budget_in_team, ...limits };
    const userId = await context.store.change(context.actor, async (writers) => {
      const team = found(await writers.teams.get(team_id), unknown(team_id), 'team_id');
      const member = memberNamed(team, { user_id, user_email });
      await changeMember(writers, team, { userId: member.user_id, role: role ?? null, limits: place }, context);
      return member.user_id;
    });
    const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value != null));
    return {
      team_id,
      user_id: userId,
      user_email: user_email ?? null,
      max_budget_in_team: max_budget_in_team ?? null,
      role,
      ...given,
    };
  },
});

export const memberRoutes = [
  addRoute('/team/member_add', 'Add members to a team; who is not known yet becomes a user.'),
  addRoute('/team/bulk_member_add', 'Add many members to a team.'),
  removeRoute,
  changeRoute,
];
