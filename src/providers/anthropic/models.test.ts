import { describe, expect, test } from 'bun:test';
import { modelTraits } from './models.ts';

describe('what a model accepts', () => {
  test.each([
    // name, most output, sampling, thinking, forced tools, native JSON
    ['claude-sonnet-5-5', 128_000, 'none', 'adaptive between_tools', false, true],
    ['claude-opus-5-5-20261001', 128_000, 'none', 'adaptive', false, true],
    ['claude-haiku-5-5', 128_000, 'none', 'adaptive disabled', true, true],
    ['claude-opus-5-20260601', 128_000, 'none', 'adaptive disabled', true, true],
    ['claude-sonnet-5', 128_000, 'none', 'adaptive disabled', true, true],
    ['claude-fable-5-1', 128_000, 'none', 'adaptive', false, true],
    ['claude-fable-5', 128_000, 'none', 'adaptive', true, true],
    ['claude-mythos-5-20260901', 128_000, 'none', 'adaptive', true, true], // a date is no minor version
    ['claude-opus-4-8', 128_000, 'none', 'adaptive disabled', true, true],
    ['claude-opus-4-6', 128_000, 'any', 'adaptive enabled disabled', true, true],
    ['claude-sonnet-4-5-20250929', 64_000, 'one', 'enabled disabled', true, true],
    ['claude-haiku-4-5', 64_000, 'one', 'enabled disabled', true, true],
    ['claude-opus-4-1-20250805', 32_000, 'one', 'enabled disabled', true, true],
    ['claude-opus-4-20250514', 32_000, 'any', 'enabled disabled', true, false],
    ['claude-sonnet-4-20250514', 64_000, 'any', 'enabled disabled', true, false],
    ['claude-3-7-sonnet-20250219', 64_000, 'any', 'enabled disabled', true, false],
    ['claude-3-5-sonnet-20241022', 8192, 'any', '', true, false],
    ['claude-3-haiku-20240307', 4096, 'any', '', true, false],
    ['claude-something-9', 128_000, 'none', 'adaptive', true, true],
    ['kimi-k2', 4096, 'any', 'enabled disabled', true, false],
  ])('%s', (name, maxOutput, sampling, thinking, forcedTools, nativeJson) => {
    const traits = modelTraits(name);
    expect([
      traits.maxOutput,
      traits.sampling,
      traits.thinking.join(' '),
      traits.forcedTools,
      traits.nativeJson,
    ]).toEqual([maxOutput, sampling, thinking, forcedTools, nativeJson]);
  });
});
