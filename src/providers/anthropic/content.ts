import { isObject, type Json, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import type { NativeBlock, RequestBlock, Source, TextBlock } from '../../wire/anthropic/messages.ts';
import { cacheMark } from './cache-control.ts';
import type { Notes } from './notes.ts';
import { refuseInvalid, refuseUnsupported } from './refusal.ts';

const FILES_BETA = 'files-api-2025-04-14';
const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);
/** Anthropic's own parts, which clients also write on the OpenAI route. */
const NATIVE_PARTS: ReadonlySet<string> = new Set([
  'image',
  'document',
  'search_result',
  'container_upload',
  'tool_use',
  'tool_result',
]);

/** What the mapping of content needs to know beside the content. */
export interface ContentPolicy {
  readonly notes: Notes;
  /** Leave out parts of a kind that Anthropic does not take, instead of refusing the request. */
  readonly dropParams: boolean;
}

/**
 * Blocks for a message's `content`: a string, parts, or nothing.
 *
 * Blank texts vanish: the API refuses them (`text content blocks must be non-empty`).
 */
export function contentBlocks(content: Json | undefined, policy: ContentPolicy): RequestBlock[] {
  if (typeof content === 'string') return textBlocks(content, {}, policy.notes);
  if (content === null || content === undefined) return [];
  if (!Array.isArray(content)) return refuseInvalid('content must be a string or a list of parts.', 'messages');
  return content.flatMap((part) => partBlocks(part, policy));
}

/** One text block, or none when the text is blank. */
export function textBlocks(text: string, holder: JsonObject, notes: Notes): TextBlock[] {
  return text.trim() === '' ? [] : [{ type: 'text', text, ...cacheMark(holder, notes) }];
}

function partBlocks(part: Json, policy: ContentPolicy): readonly RequestBlock[] {
  if (typeof part === 'string') return textBlocks(part, {}, policy.notes);
  if (!isObject(part)) return refuseInvalid('Each part of content must be an object with a type.', 'messages');
  const type = stringMember(part, 'type') ?? '';
  switch (type) {
    case 'text':
      return textBlocks(stringMember(part, 'text') ?? '', part, policy.notes);
    case 'refusal':
      return textBlocks(stringMember(part, 'refusal') ?? '', part, policy.notes);
    case 'image_url':
      return [imageBlock(part, policy.notes)];
    case 'file':
      return [fileBlock(part, policy.notes)];
    case 'input_audio':
      return audioBlocks(policy);
    case 'thinking':
    case 'redacted_thinking':
      // Read apart, since they go first and all together or not at all (history.ts).
      return [];
    default:
      if (NATIVE_PARTS.has(type)) return [part as NativeBlock]; // its type was just read
      return refuseInvalid(
        `Anthropic has no content of type '${type}'. Send text, image_url or file parts.`,
        'messages',
      );
  }
}

function audioBlocks(policy: ContentPolicy): readonly RequestBlock[] {
  if (!policy.dropParams) {
    return refuseUnsupported('Anthropic does not support audio input. Remove the input_audio parts.', 'messages');
  }
  policy.notes.dropped.add('input_audio');
  return [];
}

function imageBlock(part: JsonObject, notes: Notes): RequestBlock {
  const image = objectMember(part, 'image_url');
  const url = image === null ? stringMember(part, 'image_url') : stringMember(image, 'url');
  if (url === null) return refuseInvalid('image_url needs a url.', 'messages');
  const mark = cacheMark(part, notes);
  if (url.startsWith('https://')) return { type: 'image', source: { type: 'url', url }, ...mark };
  const file = readDataUri(url);
  if (file === null) {
    return refuseInvalid('Anthropic takes images as https URLs or as base64 data URIs only.', 'messages');
  }
  const declared = image === null ? null : stringMember(image, 'format');
  return { ...embeddedFile(mediaType(declared ?? file.mediaType), file.data), ...mark };
}

function fileBlock(part: JsonObject, notes: Notes): RequestBlock {
  const file = objectMember(part, 'file') ?? {};
  const mark = cacheMark(part, notes);
  const title = stringMember(file, 'filename');
  const data = stringMember(file, 'file_data');
  if (data !== null) return { ...dataFile(data, stringMember(file, 'format'), title), ...mark };
  return { ...referencedFile(stringMember(file, 'file_id'), title, notes), ...mark };
}

function dataFile(text: string, declared: string | null, title: string | null): RequestBlock {
  const file = readDataUri(text) ?? { mediaType: 'application/pdf', data: text };
  const block = embeddedFile(mediaType(declared ?? file.mediaType), file.data);
  return block.type === 'document' && title !== null ? { ...block, title } : block;
}

function referencedFile(id: string | null, title: string | null, notes: Notes): RequestBlock {
  if (id === null) return refuseInvalid('A file part needs file_data or file_id.', 'messages');
  if (id.startsWith('file-')) {
    return refuseInvalid(`Anthropic does not know the OpenAI file '${id}'. Send the file as file_data.`, 'messages');
  }
  if (!id.startsWith('https://')) notes.betas.add(FILES_BETA);
  const source: Source = id.startsWith('https://') ? { type: 'url', url: id } : { type: 'file', file_id: id };
  return { type: 'document', source, ...(title === null ? {} : { title }) };
}

function embeddedFile(type: string, data: string): RequestBlock {
  if (IMAGE_TYPES.has(type)) return { type: 'image', source: { type: 'base64', media_type: type, data } };
  if (type === 'application/pdf') return { type: 'document', source: { type: 'base64', media_type: type, data } };
  if (type === 'text/plain') {
    return { type: 'document', source: { type: 'text', media_type: type, data: decodeText(data) } };
  }
  return refuseInvalid(
    `Anthropic does not take files of type '${type}'. It takes JPEG, PNG, GIF, WebP, PDF and plain text.`,
    'messages',
  );
}

/** Lower-case media type without parameters, under the name that Anthropic knows. */
function mediaType(text: string): string {
  const bare = (text.split(';')[0] ?? '').trim().toLowerCase();
  return bare === 'image/jpg' ? 'image/jpeg' : bare;
}

/** The parts of `data:<type>;base64,<data>`; null when it is no such URI. */
function readDataUri(url: string): { readonly mediaType: string; readonly data: string } | null {
  const comma = url.indexOf(',');
  if (!url.startsWith('data:') || comma < 0) return null;
  const head = url.slice('data:'.length, comma);
  return /;\s*base64$/i.test(head) ? { mediaType: head, data: url.slice(comma + 1) } : null;
}

function decodeText(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
