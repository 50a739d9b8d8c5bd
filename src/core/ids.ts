/** Branded identifiers: strings that the compiler keeps apart. */

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** Names one deployment; stable across reloads while its entry in the configuration is unchanged. */
export type DeploymentId = Id<'deployment'>;

/** The model name that clients ask for. */
export type GroupName = Id<'group'>;

/** The name of a provider in the registry: `openai`, `azure`, `anthropic`, `groq` … */
export type ProviderId = Id<'provider'>;

/** The gateway's own name for one request; never taken from a client. */
export type RequestId = Id<'request'>;

/** SHA-256 of a virtual key, lower-case hex: all that is kept of it. Changes when the key is rotated. */
export type KeyHash = Id<'key-hash'>;

/** Names a virtual key for ever, also after it was rotated. */
export type KeyId = Id<'key'>;

export type UserId = Id<'user'>;
export type TeamId = Id<'team'>;
export type OrganizationId = Id<'organization'>;

/** An end customer of the caller: `user` of the body. Chosen by clients. */
export type CustomerId = Id<'customer'>;

export const deploymentId = (value: string): DeploymentId => value as DeploymentId;
export const groupName = (value: string): GroupName => value as GroupName;
export const providerId = (value: string): ProviderId => value as ProviderId;
export const requestId = (value: string): RequestId => value as RequestId;
export const keyHash = (value: string): KeyHash => value as KeyHash;
export const keyId = (value: string): KeyId => value as KeyId;
export const userId = (value: string): UserId => value as UserId;
export const teamId = (value: string): TeamId => value as TeamId;
export const organizationId = (value: string): OrganizationId => value as OrganizationId;
export const customerId = (value: string): CustomerId => value as CustomerId;
