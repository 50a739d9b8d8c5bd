import type { StoredModel } from '../config/stored.ts';
import type { Clock } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Directory, Principal } from '../core/identity.ts';
import type { JsonObject } from '../core/json.ts';
import type { BillingTerms, Price } from '../core/price.ts';
import type { NewcomerSettings } from '../core/snapshot.ts';
import type { Usage } from '../core/usage.ts';
import type { SecretBox } from '../secrets/secret-box.ts';
import type { Store } from '../store/store.ts';
import type { ServerRequest } from '../transport/server.ts';

/** What the control plane needs from outside; `cli/serve.ts` fills it. */
export interface ControlPorts {
  readonly store: Store;
  readonly clock: Clock;
  /** Who sent this, or why nobody we know did. What is behind a key that it gives is in the directory. */
  authenticate(request: ServerRequest): Principal | GatewayError | Promise<Principal | GatewayError>;
  directory(): Directory;
  settings(): ControlSettings;
  /** What models and credentials of the database need. */
  readonly models: ModelPorts;
  /** What telling a cost needs. */
  readonly pricing: PricingPorts;
  /** Fresh random bytes, unguessable. */
  randomBytes(count: number): Uint8Array;
  readonly log: {
    internalError(event: { readonly callId: string | null; readonly error: unknown }): void;
  };
}

/** What keeping models in the database needs of configuration and keys. */
export interface ModelPorts {
  /** `store_model_in_db`. */
  isEnabled(): boolean;
  /** Null when neither salt key nor master key is set. */
  readonly box: SecretBox | null;
  /** Whether the file has a deployment with this id. */
  isInFile(id: string): boolean;
  /** Why a deployment could not be used if it were kept, or null. Never repeats a credential. */
  problem(model: StoredModel): string | null;
  /** Parameters or credentials as answers may show them. */
  masked(values: JsonObject): JsonObject;
}

/** What telling a cost needs of configuration, prices and tokenizers. */
export interface PricingPorts {
  /** The first deployment of the plan for this model, else the known model of that name; null when there is neither. */
  find(model: string): PricedModel | null;
  /** Discounts and margins in force. */
  terms(): BillingTerms;
  /** Tokens of a chat's messages, as the model counts them; null when nobody knows in time. */
  countTokens(model: PricedModel, messages: readonly JsonObject[]): Promise<number | null>;
  /** What an answer in the shape of OpenAI's says that it used; null when it says nothing. */
  usageOf(completion: JsonObject): Usage | null;
}

/** A model, and what it charges; null when nobody knows. */
export interface PricedModel {
  /** As it was asked for. */
  readonly name: string;
  readonly provider: string;
  readonly price: Price | null;
  /** The model whose tokenizer counts. */
  readonly tokenizedAs: string;
}

/** The part of the configuration that the admin API obeys. */
export interface ControlSettings extends NewcomerSettings {
  readonly errorProfile: 'tollgate' | 'litellm-1.81';
  /** `SERVER_ROOT_PATH`, without a trailing slash; '' for none. */
  readonly rootPath: string;
}

/** Nothing configured. */
export const PLAIN_SETTINGS: ControlSettings = {
  errorProfile: 'tollgate',
  rootPath: '',
  keyDefaults: {},
  keyBounds: {},
  userDefaults: {},
  teamDefaults: {},
};
