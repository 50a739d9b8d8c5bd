import { describe, expect, test } from 'bun:test';
import { EventInspector, inspectEvent } from '../../src/wire/openai/event.ts';
import { SseSplitter } from '../../src/wire/sse.ts';
import { loadRecordings } from '../support/recordings.ts';

// The quick reading of events is the sure one, for every recorded stream in any dialect.

const streams = loadRecordings().filter(({ isStream }) => isStream);

describe('an inspector', () => {
  test.each(streams.map((recording) => [recording.name, recording] as const))(
    'reads %s as parsing does',
    (_name, { body }) => {
      const inspector = new EventInspector();
      let events = 0;
      new SseSplitter().push(body, (event) => {
        events++;
        expect(inspector.inspect(event)).toEqual(inspectEvent(event));
      });
      expect(events).toBeGreaterThan(0);
    },
  );
});
