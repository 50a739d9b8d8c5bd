/**
 * Who pays for a request: every entity whose spend it is added to. Null where there is none.
 *
 * The master key is nobody's: all fields but `keyHash` and `keyAlias` are null then.
 */
export interface Payer {
  /** SHA-256 of the presented key, lower-case hex: the primary key of its row. */
  readonly keyHash: string | null;
  /** Names the key for ever, also after it was rotated. */
  readonly keyId: string | null;
  readonly keyAlias: string | null;
  /** The name of the model under which the key has a budget for it, which the request is charged to. */
  readonly keyModel: string | null;
  readonly userId: string | null;
  readonly teamId: string | null;
  readonly organizationId: string | null;
  /** The end customer: `user` of the body. */
  readonly customerId: string | null;
}

/** Nobody: the key was refused or never seen. */
export const NO_PAYER: Payer = {
  keyHash: null,
  keyId: null,
  keyAlias: null,
  keyModel: null,
  userId: null,
  teamId: null,
  organizationId: null,
  customerId: null,
};
