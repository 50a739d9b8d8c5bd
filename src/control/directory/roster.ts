import { type Budget, type DefaultBudgets, NO_DEFAULT_BUDGETS } from '../../core/budget.ts';
import type {
  Customer,
  Directory,
  Organization,
  Tag,
  Team,
  TeamMember,
  User,
  VirtualKey,
} from '../../core/identity.ts';
import type { CustomerId, KeyHash, OrganizationId, TeamId, UserId } from '../../core/ids.ts';
import type { EpochMillis } from '../../core/units.ts';
import type { BudgetRow } from '../../store/schema/identity.ts';
import { customerWith } from './records.ts';

/** LiteLLM's pseudo-user, whose budget is that of everything together. */
export const EVERYBODY = 'litellm-proxy-budget';

/** A hash that a rotation replaced, and until when it works. */
interface Former {
  readonly token: string;
  readonly until: EpochMillis;
}

/**
 * Everybody in memory.
 *
 * Records are immutable; the tables of them change in place, one entry at a time, because copying a hundred thousand for
 * one would cost more than the change. A request looks at it in one step without awaits, so it sees one state.
 */
export class Roster implements Directory {
  /** Grows with every change. */
  version = 0;
  readonly keys = new Map<string, VirtualKey>();
  readonly formers = new Map<string, Former>();
  readonly teams = new Map<string, Team>();
  readonly users = new Map<string, User>();
  readonly members = new Map<string, TeamMember>();
  readonly organizations = new Map<string, Organization>();
  readonly customers = new Map<string, Customer>();
  readonly tags = new Map<string, Tag>();
  /** Rows, since several entities may point at one. */
  readonly budgets = new Map<string, BudgetRow>();
  readonly #defaults: () => DefaultBudgets;

  /** @param defaults of the configuration in use */
  constructor(defaults: () => DefaultBudgets = () => NO_DEFAULT_BUDGETS) {
    this.#defaults = defaults;
  }

  key(hash: KeyHash): VirtualKey | null {
    return this.keys.get(hash) ?? null;
  }

  /** The key that a hash stands for now, also one that a rotation replaced and that is still in its grace. */
  presented(hash: string, now: EpochMillis): VirtualKey | null {
    const key = this.keys.get(hash);
    if (key !== undefined) return key;
    const former = this.formers.get(hash);
    if (former === undefined || now >= former.until) return null;
    return this.keys.get(former.token) ?? null;
  }

  team(id: TeamId): Team | null {
    return this.teams.get(id) ?? null;
  }

  user(id: UserId): User | null {
    return this.users.get(id) ?? null;
  }

  member(team: TeamId, user: UserId): TeamMember | null {
    return this.members.get(memberId(user, team)) ?? null;
  }

  organization(id: OrganizationId): Organization | null {
    return this.organizations.get(id) ?? null;
  }

  customer(id: CustomerId): Customer | null {
    const known = this.customers.get(id) ?? null;
    const { customer: budget, customerBudgetId } = this.#defaults();
    if ((budget === null && customerBudgetId === null) || (known !== null && known.budget !== null)) return known;
    return customerWith(id, known, this.budget(customerBudgetId), budget);
  }

  tag(name: string): Tag | null {
    return this.tags.get(name) ?? null;
  }

  get global(): Budget | null {
    return this.#defaults().everything ?? this.users.get(EVERYBODY)?.budget ?? null;
  }

  budget(id: string | null): BudgetRow | null {
    return id === null ? null : (this.budgets.get(id) ?? null);
  }
}

/** How the feed names a membership. */
export const memberId = (user: string, team: string): string => JSON.stringify([user, team]);
