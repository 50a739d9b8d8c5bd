import { isObject, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import type { JsonTool } from '../provider.ts';
import type { ModelTraits } from './models.ts';
import { sanitisedSchema } from './schema.ts';

/**
 * How the wish for JSON is put to the model.
 *
 * `native`: the API decodes by a schema. `tool`: older models are made to call a tool whose input is the answer.
 * `ask`: no schema was given, and words must do.
 */
export type JsonMode =
  | { readonly kind: 'text' }
  | { readonly kind: 'native'; readonly format: JsonObject }
  | { readonly kind: 'tool'; readonly jsonTool: JsonTool; readonly definition: JsonObject }
  | { readonly kind: 'ask'; readonly instruction: string };

/** LiteLLM's name for the tool. */
const TOOL_NAME = 'json_tool_call';
const WRAPPER = 'values';
const DESCRIPTION = 'Gives the answer to the user. Call it exactly once, with the whole answer as its input.';
const INSTRUCTION = 'Answer with a single JSON object and nothing else: no explanation, no code fence.';

/**
 * Reads `response_format`.
 *
 * @param taken names of the client's own tools, which the made-up one must not repeat
 */
export function jsonMode(parameters: JsonObject, traits: ModelTraits, taken: ReadonlySet<string>): JsonMode {
  const format = objectMember(parameters, 'response_format');
  const type = format === null ? 'text' : stringMember(format, 'type');
  if (format === null || (type !== 'json_schema' && type !== 'json_object')) return { kind: 'text' };
  const named = objectMember(format, 'json_schema');
  const schema = (named === null ? null : objectMember(named, 'schema')) ?? objectMember(format, 'response_schema');
  if (schema === null) return { kind: 'ask', instruction: INSTRUCTION };
  if (traits.nativeJson) return { kind: 'native', format: { type: 'json_schema', schema: sanitisedSchema(schema) } };
  return toolMode(schema, named === null ? null : stringMember(named, 'description'), taken);
}

function toolMode(schema: JsonObject, description: string | null, taken: ReadonlySet<string>): JsonMode {
  const isWrapped = !(schema.type === 'object' || (schema.type === undefined && isObject(schema.properties)));
  const name = freeName(taken);
  return {
    kind: 'tool',
    jsonTool: { name, wrapper: isWrapped ? WRAPPER : null },
    definition: {
      name,
      description: description === null ? DESCRIPTION : `${DESCRIPTION} ${description}`,
      input_schema: isWrapped ? wrapped(schema) : { ...schema, type: 'object' },
    },
  };
}

/** Tool inputs are objects: another root goes into a member. Definitions stay at the root, where `$ref` looks. */
function wrapped(schema: JsonObject): JsonObject {
  const { $defs, definitions, ...root } = schema;
  return {
    type: 'object',
    properties: { [WRAPPER]: root },
    required: [WRAPPER],
    ...($defs === undefined ? {} : { $defs }),
    ...(definitions === undefined ? {} : { definitions }),
  };
}

function freeName(taken: ReadonlySet<string>): string {
  let name = TOOL_NAME;
  for (let number = 2; taken.has(name); number++) name = `${TOOL_NAME}_${number}`;
  return name;
}
