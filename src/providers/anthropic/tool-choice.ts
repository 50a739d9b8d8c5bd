import { type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import type { ToolChoice } from '../../wire/anthropic/messages.ts';
import type { JsonTool } from '../provider.ts';
import type { ModelTraits } from './models.ts';
import { upstreamToolName } from './names.ts';
import type { Notes } from './notes.ts';
import { refuseInvalid } from './refusal.ts';
import { toolName, usesLegacyFunctions } from './tools.ts';

/** What bears on the choice beside the client's words. */
export interface ChoiceSetting {
  readonly traits: ModelTraits;
  /** Number of tools sent upstream without the made-up JSON tool. */
  readonly toolCount: number;
  readonly jsonTool: JsonTool | null;
  /** Whether `thinking.type` is `enabled`, which allows no forced tool. */
  readonly thinksManually: boolean;
}

/** Translates `tool_choice` (or `function_call`) and `parallel_tool_calls`; null when nothing need be said. */
export function toolChoice(parameters: JsonObject, setting: ChoiceSetting, notes: Notes): ToolChoice | null {
  if (setting.toolCount === 0 && setting.jsonTool === null) return null;
  const asked = setting.toolCount === 0 ? null : askedChoice(parameters, notes);
  const wanted = setting.jsonTool === null ? asked : withJsonTool(asked, setting.jsonTool, setting.toolCount);
  const choice = withoutForce(wanted, setting, notes);
  const isSingle =
    parameters.parallel_tool_calls === false || usesLegacyFunctions(parameters) || setting.jsonTool !== null;
  return isSingle ? oneAtATime(choice) : choice;
}

function askedChoice(parameters: JsonObject, notes: Notes): ToolChoice | null {
  const choice = parameters.tool_choice ?? parameters.function_call;
  if (choice === null || choice === undefined) return null;
  if (typeof choice === 'string') return namedMode(choice);
  const object = objectMember({ choice }, 'choice');
  if (object === null) return refuseInvalid('tool_choice must be a string or an object.', 'tool_choice');
  if (object.type === 'allowed_tools') {
    return namedMode(stringMember(objectMember(object, 'allowed_tools') ?? object, 'mode') ?? 'auto');
  }
  const name = toolName(object);
  if (name !== null) return { type: 'tool', name: upstreamToolName(name, notes) };
  return namedMode(stringMember(object, 'type') ?? '');
}

function namedMode(mode: string): ToolChoice {
  switch (mode) {
    case 'auto':
    case 'none':
    case 'any':
      return { type: mode };
    case 'required':
      return { type: 'any' };
    default:
      return refuseInvalid(
        `There is no tool_choice '${mode}'. Use auto, none, required or a tool's name.`,
        'tool_choice',
      );
  }
}

/** The answer is to come through the JSON tool, unless the client's own tools are called first. */
function withJsonTool(asked: ToolChoice | null, jsonTool: JsonTool, toolCount: number): ToolChoice {
  if (asked?.type === 'tool') return asked;
  const mayUseOwnTools = toolCount > 0 && asked?.type !== 'none';
  return mayUseOwnTools ? { type: 'any' } : { type: 'tool', name: jsonTool.name };
}

function withoutForce(choice: ToolChoice | null, setting: ChoiceSetting, notes: Notes): ToolChoice | null {
  const isForced = choice?.type === 'any' || choice?.type === 'tool';
  if (!isForced || (setting.traits.forcedTools && !setting.thinksManually)) return choice;
  notes.dropped.add('tool_choice');
  return { type: 'auto' };
}

function oneAtATime(choice: ToolChoice | null): ToolChoice {
  if (choice?.type === 'none') return choice;
  return { ...(choice ?? { type: 'auto' }), disable_parallel_tool_use: true };
}
