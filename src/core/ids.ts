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

export const deploymentId = (value: string): DeploymentId => value as DeploymentId;
export const groupName = (value: string): GroupName => value as GroupName;
export const providerId = (value: string): ProviderId => value as ProviderId;
export const requestId = (value: string): RequestId => value as RequestId;
