import { describe, expect, test } from 'bun:test';
import { FaultSyntax, parseFaults } from './fault.ts';
import { type Matchable, RuleBook, rule, ruleFromJson } from './rules.ts';

const request: Matchable = {
  path: '/v1/chat/completions',
  model: 'gpt-4',
  key: 'sk-a',
  dialect: 'openai',
  stream: false,
};

/** Which of ten equal requests the book harms, counted from 1. */
function harmed(book: RuleBook): number[] {
  return Array.from({ length: 10 }, (_, index) => (book.take(request) === null ? 0 : index + 1)).filter(Boolean);
}

describe('a rule', () => {
  const rows: readonly (readonly [name: string, json: object, expected: number[]])[] = [
    ['without limits harms every request', { fault: '429' }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    ['with times stops after them', { fault: '429', times: 2 }, [1, 2]],
    ['with skip begins after them', { fault: '429', skip: 8 }, [9, 10]],
    ['with both harms the ones between', { fault: '429', skip: 3, times: 2 }, [4, 5]],
    ['with nth harms that one', { fault: '429', nth: 5 }, [5]],
    ['for another model harms none', { fault: '429', match: { model: 'gpt-5' } }, []],
    ['for another key harms none', { fault: '429', match: { key: 'sk-b' } }, []],
    ['for another dialect harms none', { fault: '429', match: { dialect: 'azure' } }, []],
    ['for streams leaves whole answers alone', { fault: '429', match: { stream: true } }, []],
    ['for part of the path harms what has it', { fault: '429', match: { path: 'chat' }, times: 1 }, [1]],
  ];
  for (const [name, json, expected] of rows) {
    test(name, () => {
      const book = new RuleBook();
      book.add(ruleFromJson(JSON.parse(JSON.stringify(json))));
      expect(harmed(book)).toEqual(expected);
    });
  }

  test('gives way to the next one when it is used up', () => {
    const book = new RuleBook();
    book.add(rule(parseFaults('429'), { times: 2 }));
    book.add(rule(parseFaults('500'), { times: 1 }));
    const statuses = [1, 2, 3, 4].map(() => {
      const fault = book.take(request)?.faults[0];
      return fault?.kind === 'status' ? fault.status : null;
    });
    expect(statuses).toEqual([429, 429, 500, null]);
  });

  test('is gone once it is removed', () => {
    const book = new RuleBook();
    const id = book.add(rule(parseFaults('429')));
    expect([book.remove(id), book.remove(id), book.take(request)]).toEqual([true, false, null]);
  });

  test('with a misspelt member is refused', () => {
    expect(() => ruleFromJson({ fault: '429', match: { modle: 'x' } })).toThrow(FaultSyntax);
    expect(() => ruleFromJson({ fault: '429', times: -1 })).toThrow(FaultSyntax);
    expect(() => ruleFromJson({ times: 1 })).toThrow('a rule needs the member "fault"');
  });
});
