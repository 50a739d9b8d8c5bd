import type { z } from 'zod';
import type { Directory, Principal } from '../../core/identity.ts';
import type { EpochMillis } from '../../core/units.ts';
import type { Actor } from '../../store/change-log.ts';
import type { Store } from '../../store/store.ts';
import type { ControlPorts } from '../ports.ts';
import type { Caller } from './caller.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Who may call a route at all, besides the master key and `proxy_admin`, who may call everything.
 *
 * `public`: anybody, without a key. `role`: whoever the table of roles lets (`metering/routes.ts`); the handler shows and
 * changes only what is the caller's own. `organization`: admins of an organization besides; the handler shows and changes
 * only what is of theirs. `admin`: nobody else, but a `proxy_admin_viewer` may read.
 */
export type Audience = 'public' | 'role' | 'organization' | 'admin';

/** What a handler works with. */
export interface AdminContext {
  readonly caller: Caller;
  /** As the audit log will name who made a change. */
  readonly actor: Actor;
  readonly store: Store;
  readonly ports: ControlPorts;
  readonly now: EpochMillis;
}

/** One path of the admin API: what the server, the role check, the OpenAPI document and its tests are made from. */
export interface AdminRoute<Schema extends z.ZodType = z.ZodType> {
  readonly methods: readonly [Method, ...Method[]];
  /** Segments in braces are handed to the handler as fields. The first path is the one that roles are asked for. */
  readonly paths: readonly [string, ...string[]];
  readonly summary: string;
  /** Heading under which documents list it. */
  readonly tag: string;
  readonly audience: Audience;
  /** Fields of the body, for GET and HEAD of the query. */
  readonly input: Schema;
  /** Known fields that have no effect here, and why; a client that sends one is told by a header. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** What the answer is; JSON unless it says otherwise, else the handler gives the text. */
  readonly contentType?: string;
  /** @returns the body of a 200 @throws Refused */
  handle(input: z.output<Schema>, context: AdminContext): unknown;
}

/** A route whose handler is checked against its schema. */
export function adminRoute<Schema extends z.ZodType>(route: AdminRoute<Schema>): AdminRoute {
  // The schema gives the handler exactly what it was checked against here.
  return route as unknown as AdminRoute;
}

/** What authorization needs to know of the world. */
export interface Identity {
  readonly principal: Principal;
  readonly directory: Directory;
}
