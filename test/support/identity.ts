import type { Budget } from '../../src/core/budget.ts';
import {
  type Customer,
  type Directory,
  NO_LIMITS,
  type Organization,
  type Tag,
  type Team,
  type TeamMember,
  type User,
  type VirtualKey,
} from '../../src/core/identity.ts';
import { customerId, keyHash, keyId, organizationId, teamId, userId } from '../../src/core/ids.ts';
import { modelAccess } from '../../src/core/model-access.ts';
import { nanoUsd } from '../../src/core/units.ts';

/** A key that may do everything, alone in the world. */
export function keyOf(id: string, words: Partial<VirtualKey> = {}): VirtualKey {
  return {
    hash: keyHash(`hash-${id}`),
    id: keyId(id),
    name: `sk-...${id}`,
    alias: null,
    owner: { kind: 'nobody' },
    organizationId: null,
    expiry: null,
    isBlocked: false,
    models: modelAccess([]),
    aliases: new Map(),
    allowedRoutes: [],
    tags: [],
    metadata: {},
    limits: NO_LIMITS,
    modelLimits: new Map(),
    budget: null,
    modelBudgets: new Map(),
    ...words,
  };
}

export function teamOf(id: string, words: Partial<Team> = {}): Team {
  return {
    id: teamId(id),
    alias: null,
    organizationId: null,
    isBlocked: false,
    models: modelAccess([]),
    aliases: new Map(),
    tags: [],
    limits: NO_LIMITS,
    modelLimits: new Map(),
    budget: null,
    ...words,
  };
}

export function userOf(id: string, words: Partial<User> = {}): User {
  const plain = { role: 'internal_user', models: modelAccess([]), limits: NO_LIMITS, budget: null } as const;
  return { id: userId(id), ...plain, ...words };
}

export function memberOf(team: string, user: string, words: Partial<TeamMember> = {}): TeamMember {
  return { teamId: teamId(team), userId: userId(user), role: 'user', limits: NO_LIMITS, budget: null, ...words };
}

export function organizationOf(id: string, words: Partial<Organization> = {}): Organization {
  const plain = { models: modelAccess([]), limits: NO_LIMITS, modelLimits: new Map(), budget: null };
  return { id: organizationId(id), ...plain, ...words };
}

export function customerOf(id: string, words: Partial<Customer> = {}): Customer {
  return { id: customerId(id), isBlocked: false, limits: NO_LIMITS, budget: null, ...words };
}

/** A budget for ever of so many nano-USD. */
export function budgetOf(limit: number | null, words: Partial<Budget> = {}): Budget {
  return {
    limit: limit === null ? null : nanoUsd(BigInt(limit)),
    soft: null,
    thresholds: [],
    period: { kind: 'forever' },
    increase: null,
    ...words,
  };
}

/** Everybody that a test knows. */
export interface People {
  readonly keys?: readonly VirtualKey[];
  readonly teams?: readonly Team[];
  readonly users?: readonly User[];
  readonly members?: readonly TeamMember[];
  readonly organizations?: readonly Organization[];
  readonly customers?: readonly Customer[];
  readonly tags?: readonly Tag[];
  readonly global?: Budget;
}

/** A directory of these people. */
export function directoryOf(people: People): Directory {
  const members = people.members ?? [];
  return {
    version: 1,
    key: (hash) => people.keys?.find((each) => each.hash === hash) ?? null,
    team: (id) => people.teams?.find((each) => each.id === id) ?? null,
    user: (id) => people.users?.find((each) => each.id === id) ?? null,
    member: (team, user) => members.find((each) => each.teamId === team && each.userId === user) ?? null,
    organization: (id) => people.organizations?.find((each) => each.id === id) ?? null,
    customer: (id) => people.customers?.find((each) => each.id === id) ?? null,
    tag: (name) => people.tags?.find((each) => each.name === name) ?? null,
    global: people.global ?? null,
  };
}
