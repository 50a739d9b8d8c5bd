import { describe, expect, test } from 'bun:test';
import { VERSION } from '../../src/core/version.ts';
import { read, repositoryFiles } from '../readme/documents.ts';
import { copyOf, execForm, stagesOf } from './dockerfile.ts';

const text = read('Dockerfile');
const stages = stagesOf(text);
const final = stages.at(-1);
const textsOf = (name: string): readonly string[] =>
  final?.instructions.filter((each) => each.name === name).map((each) => each.text) ?? [];

describe('the Dockerfile', () => {
  test('names its base images with a whole version or a date', () => {
    expect(stages.length).toBe(2);
    for (const { image } of stages) expect(image).toMatch(/^[a-z]+:(\d+\.\d+\.\d+-\w+-slim|[a-z]+-\d{8}-slim)$/);
    expect(textsOf('LABEL').join(' ')).toContain(`base.name="docker.io/library/${final?.image}"`);
  });

  test('installs what the lock file names, and runs no script of a package', () => {
    const commands = stages[0]?.instructions.filter(({ name }) => name === 'RUN').map((each) => each.text) ?? [];
    expect(commands[0]).toStartWith('npm ci --ignore-scripts --omit=dev');
    expect(commands.filter((command) => /npm (install|i)\b|curl|wget/.test(command))).toEqual([]);
  });

  test('ends as a user with a number who is not root, and owns the data folder', () => {
    expect(textsOf('USER')).toEqual(['10001:10001']);
    expect(textsOf('RUN').join(' ')).toContain('--owner=10001 --group=10001 --mode=0750 /data');
    expect(textsOf('VOLUME')).toEqual(['/data']);
    expect(textsOf('ENV')).toEqual(['TOLLGATE_DATA_DIR=/data']);
    // What comes after it could be written by another user again.
    const names = final?.instructions.map(({ name }) => name) ?? [];
    expect(names.slice(names.indexOf('USER')).filter((name) => name === 'RUN' || name === 'COPY')).toEqual([]);
  });

  test('starts the executable itself, so that signals reach it', () => {
    expect(execForm(textsOf('ENTRYPOINT')[0] ?? '')).toEqual(['/usr/local/bin/tollgate']);
    expect(execForm(textsOf('CMD')[0] ?? '')).toEqual(['--config', '/app/config.yaml']);
  });

  test('asks for its health as the brief does', () => {
    expect(textsOf('EXPOSE')).toEqual(['4000']);
    expect(textsOf('HEALTHCHECK')).toEqual([
      '--interval=30s --timeout=10s --retries=3 --start-period=40s CMD ["curl", "-f", "http://localhost:4000/health"]',
    ]);
    expect(textsOf('RUN').join(' ')).toMatch(/apt-get install .*\bcurl\b/);
  });

  test('copies only what is there and what reaches the builder', () => {
    const files = repositoryFiles();
    const sent = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    let seen = 0;
    for (const stage of stages) {
      for (const { text } of stage.instructions.filter(({ name }) => name === 'COPY')) {
        const { from, sources } = copyOf(text);
        if (from !== null) {
          expect(stages.map(({ alias }) => alias)).toContain(from);
          continue;
        }
        for (const source of sources) {
          seen += 1;
          expect([source, files.some((path) => path === source || path.startsWith(`${source}/`))]).toEqual([
            source,
            true,
          ]);
          expect(sent).toContain(source);
        }
      }
    }
    expect(seen).toBeGreaterThan(5);
  });

  test('sends the builder nothing but what is named, so no key and no data', () => {
    const lines = read('.dockerignore').split('\n');
    expect(lines.find((line) => line !== '' && !line.startsWith('#'))).toBe('*');
  });

  test('is told no secret when it is built', () => {
    const names = stages.flatMap((stage) => stage.instructions.filter(({ name }) => name === 'ARG' || name === 'ENV'));
    expect(names.map((each) => each.text.split('=')[0])).toEqual(['VERSION', 'REVISION', 'TOLLGATE_DATA_DIR']);
  });

  test('says the version of the program', () => {
    expect(textsOf('ARG')).toContain(`VERSION=${VERSION}`);
    expect(text).toContain(`tollgate:${VERSION} .`);
  });
});
