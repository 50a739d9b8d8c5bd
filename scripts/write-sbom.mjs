#!/usr/bin/env node
// Prints what a build of this tree ships, as CycloneDX 1.5: the packages of package-lock.json that are installed here and
// not for development only. Nothing in it depends on the time or the machine, so the same tree gives the same bytes.
//
//   node scripts/write-sbom.mjs > sbom.cdx.json
//
// Not `npm sbom --omit=dev`: it leaves out a package that a development package wants as well (zod, with npm 11.19).
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version, packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

const shipped = Object.entries(packages).filter(
  ([path, each]) => path !== '' && !each.dev && !each.devOptional && existsSync(join(root, path)),
);

function component([path, each]) {
  const name = path.replace(/^.*node_modules\//, '');
  const [group, short] = name.startsWith('@') ? name.split('/') : ['', name];
  const [algorithm, hash] = each.integrity.split('-');
  return {
    type: 'library',
    'bom-ref': `${name}@${each.version}`,
    ...(group === '' ? {} : { group }),
    name: short,
    version: each.version,
    hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(hash, 'base64').toString('hex') }],
    // An expression such as "MIT OR Apache-2.0" is no licence id.
    licenses: [/ /.test(each.license) ? { expression: each.license } : { license: { id: each.license } }],
    purl: `pkg:npm/${name.replace('@', '%40')}@${each.version}`,
  };
}

const components = shipped.map(component);
const bom = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: {
    component: { type: 'application', 'bom-ref': `tollgate@${version}`, name: 'tollgate', version },
  },
  components,
  dependencies: [{ ref: `tollgate@${version}`, dependsOn: components.map((each) => each['bom-ref']) }],
};
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`);
