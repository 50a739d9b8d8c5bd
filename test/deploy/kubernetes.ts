import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../readme/documents.ts';

/** An object as Kubernetes is given it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Where the packages keep a kind; their classes check values, their types know every field. */
const MODULES: Readonly<Record<string, string>> = {
  'apps/v1 StatefulSet': 'kubernetes-models/apps/v1/StatefulSet',
  'apps/v1 Deployment': 'kubernetes-models/apps/v1/Deployment',
  'autoscaling/v2 HorizontalPodAutoscaler': 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler',
  'batch/v1 Job': 'kubernetes-models/batch/v1/Job',
  'networking.k8s.io/v1 NetworkPolicy': 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy',
  'policy/v1 PodDisruptionBudget': 'kubernetes-models/policy/v1/PodDisruptionBudget',
  'v1 ConfigMap': 'kubernetes-models/v1/ConfigMap',
  'v1 Secret': 'kubernetes-models/v1/Secret',
  'v1 Service': 'kubernetes-models/v1/Service',
  'v1 ServiceAccount': 'kubernetes-models/v1/ServiceAccount',
  'monitoring.coreos.com/v1 ServiceMonitor':
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor',
  'monitoring.coreos.com/v1 PrometheusRule':
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule',
};

function moduleOf({ apiVersion, kind }: KubernetesObject): string {
  const found = MODULES[`${apiVersion} ${kind}`];
  if (found === undefined) throw new Error(`the test knows no schema of ${apiVersion} ${kind}`);
  return found;
}

/** What the schemas of Kubernetes and of the Prometheus operator say against an object; null when nothing. */
export async function schemaFault(object: KubernetesObject): Promise<string | null> {
  type Model = new (data: unknown) => { validate(): void };
  const { [object.kind]: model } = (await import(moduleOf(object))) as Readonly<Record<string, Model>>;
  try {
    if (model === undefined) throw new Error(`no class for ${object.kind}`);
    new model(object).validate();
    return null;
  } catch (error) {
    return `${object.kind} ${object.metadata.name}: ${(error as Error).message}`;
  }
}

/**
 * What the compiler says when the objects are written as literals of the packages' types: fields that do not exist, which the
 * schemas let pass and a cluster drops in silence, are errors there.
 */
export function typeFaults(objects: readonly KubernetesObject[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-chart-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const lines = objects.map(
      (object, index) =>
        `export const object${index}: import('${moduleOf(object)}').I${object.kind} = ${JSON.stringify(object, null, 1)};`,
    );
    writeFileSync(join(folder, 'objects.ts'), lines.join('\n'));
    const options = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      module: 'ESNext',
      moduleResolution: 'bundler',
      types: [],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['objects.ts'] }));
    const words = [
      process.execPath,
      join(root, 'node_modules/typescript/bin/tsc'),
      '--project',
      folder,
      '--pretty',
      'false',
    ];
    return Bun.spawnSync(words).stdout.toString();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
