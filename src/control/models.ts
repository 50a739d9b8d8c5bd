import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import type { SecretBox } from '../secrets/secret-box.ts';
import { shown } from './fields/shown.ts';
import { id } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { refused } from './http/refused.ts';
import { type ModelRow, openParams, sealParams } from './stored/rows.ts';
import { checkSameTeam, giveToTeam, ofItsTeam, takeFromTeam } from './team-models.ts';

/** Deployments in the database, beside those of the file (litellm.md §3.3). */

const TAG = 'models';
const params = z.looseObject({ model: z.string().min(1) });
const info = z.looseObject({ id: id.nullish(), blocked: z.boolean().nullish(), team_id: id.nullish() });

const NOT_ENABLED =
  "Models are not kept in the database: set `STORE_MODEL_IN_DB='True'` in the environment, or general_settings.store_model_in_db: true.";
const NO_KEY = 'Credentials cannot be encrypted: set LITELLM_SALT_KEY (scripts/setup-litellm-env.sh makes one).';

/** What seals credentials; asked before anything is stored. @throws Refused */
export function boxOf({ ports }: AdminContext): SecretBox {
  if (!ports.models.isEnabled()) throw refused('bad-fields', NOT_ENABLED);
  if (ports.models.box === null) throw refused('bad-fields', NO_KEY);
  return ports.models.box;
}

/** What a request makes of a deployment. */
export interface Wanted {
  readonly id: string;
  readonly name: string;
  readonly params: JsonObject;
  readonly info: JsonObject;
}

export const modelRoutes = [
  adminRoute({
    methods: ['POST'],
    paths: ['/model/new'],
    summary: 'Add a deployment; every instance serves it within a second.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ model_name: z.string().min(1), litellm_params: params, model_info: info.nullish() }),
    async handle(input, context) {
      const box = boxOf(context);
      const modelId = input.model_info?.id ?? crypto.randomUUID();
      if (context.ports.models.isInFile(modelId)) throw ofTheFile(modelId);
      const { params: given, info: said } = objectsOf(input);
      const wanted = ofItsTeam({
        ...{ id: modelId, name: input.model_name },
        ...{ params: withoutNulls(given), info: withoutNulls(said) },
      });
      checkUsable(wanted, context);
      const row = { model_id: modelId, ...columnsOf(box, wanted) };
      const made = await context.store.change(context.actor, async (writers) => {
        await giveToTeam(writers, wanted.info);
        return writers.models.create(row);
      });
      return answer(made, wanted, context);
    },
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/model/update'],
    summary: 'Change a deployment of the database; what is not sent stays.',
    tag: TAG,
    audience: 'admin',
    input: z.object({
      model_name: z.string().min(1).nullish(),
      litellm_params: z.looseObject({}).nullish(),
      model_info: info.extend({ id }),
    }),
    handle: (input, context) => change(input.model_info.id, input, 'bad-fields', context),
  }),
  adminRoute({
    methods: ['PATCH'],
    paths: ['/model/{model_id}/update'],
    summary: 'Change a deployment of the database by its id; what is not sent stays, null takes away.',
    tag: TAG,
    audience: 'admin',
    input: z.object({
      model_id: id,
      model_name: z.string().min(1).nullish(),
      litellm_params: z.looseObject({}).nullish(),
      model_info: info.nullish(),
    }),
    handle: (input, context) => change(input.model_id, input, 'nothing-there', context),
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/model/delete'],
    summary: 'Take a deployment out of the database.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ id }),
    async handle(input, context) {
      boxOf(context);
      const row = await context.store.change(context.actor, async (writers) => {
        const gone = await writers.models.delete(input.id);
        if (gone !== null) await takeFromTeam(writers, gone);
        return gone;
      });
      if (row === null) throw unknownModel(input.id, 'bad-fields', context);
      return { message: `Model: ${input.id} deleted successfully` };
    },
  }),
];

interface Change {
  readonly model_name?: string | null | undefined;
  readonly litellm_params?: object | null | undefined;
  readonly model_info?: object | null | undefined;
}

/** @param unknown how an id that the database does not have is refused: LiteLLM's two routes differ */
async function change(modelId: string, sent: Change, unknown: 'bad-fields' | 'nothing-there', context: AdminContext) {
  const box = boxOf(context);
  const { params: given, info: said } = objectsOf(sent);
  return context.store.change(context.actor, async ({ models }) => {
    const before = await models.get(modelId);
    if (before === null) throw unknownModel(modelId, unknown, context);
    const opened = openParams(box, before);
    if (opened.kind !== 'opened') throw refused('bad-fields', `${UNREADABLE} (${opened.reason})`, 'litellm_params');
    const wanted = {
      id: modelId,
      name: sent.model_name ?? before.model_name,
      params: withoutNulls({ ...opened.value, ...given }),
      info: withoutNulls({ ...before.model_info, ...(before.blocked && { blocked: true }), ...said }),
    };
    checkSameTeam(before.model_info, wanted.info);
    checkUsable(wanted, context);
    const row = await models.update(modelId, columnsOf(box, wanted));
    return answer(row ?? before, wanted, context);
  });
}

const UNREADABLE = 'This model cannot be decrypted, so it cannot be changed: delete it and add it anew.';

/** Bodies of JSON hold nothing else than JSON. */
const objectsOf = (sent: Change) => ({
  params: (sent.litellm_params ?? {}) as JsonObject,
  info: (sent.model_info ?? {}) as JsonObject,
});

const withoutNulls = (value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));

/** A model that could not be used is not stored: the same compiler says so that reads the file. @throws Refused */
function checkUsable({ id: modelId, name, params: values, info: said }: Wanted, { ports }: AdminContext): void {
  const problem = ports.models.problem({ id: modelId, name, params: values, info: said, problem: null });
  if (problem !== null) throw refused('bad-fields', `This model could not be used: ${problem}.`, 'litellm_params');
}

function columnsOf(box: SecretBox, { id: modelId, name, params: values, info: said }: Wanted) {
  const { blocked, id: _, ...modelInfo } = said;
  return {
    model_name: name,
    litellm_params: sealParams(box, modelId, values),
    model_info: { ...modelInfo, id: modelId, db_model: true },
    blocked: blocked === true,
  };
}

/** The row as LiteLLM gives it, credentials masked where LiteLLM has ciphertext. */
const answer = (row: ModelRow, { params: values }: Wanted, { ports }: AdminContext) => ({
  ...shown(row),
  litellm_params: ports.models.masked(values),
});

function unknownModel(modelId: string, kind: 'bad-fields' | 'nothing-there', { ports }: AdminContext) {
  if (ports.models.isInFile(modelId)) return ofTheFile(modelId);
  return refused(kind, `Model with id=${modelId} not found in the database. GET /model/info lists the models.`, 'id');
}

const ofTheFile = (modelId: string) =>
  refused('bad-fields', `Model id=${modelId} belongs to the configuration file: change it there.`, 'id');
