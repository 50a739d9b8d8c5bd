import { beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { VERSION } from '../../src/core/version.ts';
import { read, repositoryFiles, root } from '../readme/documents.ts';
import { type KubernetesObject, schemaFault, typeFaults } from './kubernetes.ts';

const chart = join(root, 'deploy/helm/tollgate');
const helm = process.env.HELM || Bun.which('helm');
const hasHelm = helm !== null;
/** Helm's own default depends on how it was built. */
const KUBERNETES = '1.34.0';
const VALUES = ['defaults', 'embedded', 'production', 'locked'] as const;

function run(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([helm ?? 'helm', ...words]);
  return { code: exitCode, output: stdout.toString(), error: stderr.toString() };
}

const flagsOf = (values: string): readonly string[] =>
  values === 'defaults' ? [] : ['--values', join(chart, `ci/${values}-values.yaml`)];

/** What `helm install release` would render. */
function render(flags: readonly string[]): readonly KubernetesObject[] {
  return objectsOf(rendered(flags));
}

function rendered(flags: readonly string[]): string {
  const place = ['--namespace', 'llm', '--kube-version', KUBERNETES];
  const { code, output, error } = run('template', 'release', chart, ...place, ...flags);
  if (code !== 0) throw new Error(error);
  return output;
}

function objectsOf(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly [source: string]: unknown }[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly envFrom?: unknown;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>;
}

interface WorkloadSpec {
  readonly replicas?: number;
  readonly selector: Selector;
  readonly serviceName?: string;
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  readonly persistentVolumeClaimRetentionPolicy?: unknown;
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: PodSpec;
  };
}

const specOf = <Spec>(object: KubernetesObject | undefined): Spec => object?.spec as Spec;
const find = (objects: readonly KubernetesObject[], kind: string): KubernetesObject | undefined =>
  objects.find((object) => object.kind === kind);
const workloadOf = (objects: readonly KubernetesObject[]): WorkloadSpec =>
  specOf(objects.find(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment'));
const gatewayOf = (objects: readonly KubernetesObject[]): Container =>
  workloadOf(objects).template.spec.containers[0] as Container;
const selects = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

/** Which chart a kept rendering was made of, so that one that is out of date is seen without helm too. */
const STAMP = `# Made by test/deploy/chart.test.ts of the chart with SHA-256 ${chartHash()}\n`;
const keptAt = (values: string): string => `test/deploy/rendered/${values}.yaml`;

function chartHash(): string {
  const hash = createHash('sha256');
  const files = repositoryFiles().filter((path) => path.startsWith('deploy/helm/tollgate/'));
  for (const path of files.toSorted()) hash.update(`${path}\n${read(path)}`);
  return hash.digest('hex');
}

describe('the chart’s files', () => {
  test('have the version of the program, and its shipped configuration', () => {
    expect(parse(read('deploy/helm/tollgate/Chart.yaml'))).toMatchObject({ version: VERSION, appVersion: VERSION });
    expect(read('deploy/helm/tollgate/files/config.yaml')).toBe(read('config/litellm-config.yaml'));
  });

  test('are the alert rules that Prometheus has without Kubernetes, where those are', () => {
    const there = join(root, 'deploy/prometheus/rules');
    if (!existsSync(there)) return;
    for (const name of readdirSync(there))
      expect(read(`deploy/helm/tollgate/files/rules/${name}`)).toBe(read(`deploy/prometheus/rules/${name}`));
    expect(readdirSync(join(chart, 'files/rules')).toSorted()).toEqual(readdirSync(there).toSorted());
  });
});

describe.each(VALUES)('the chart rendered with %s', (values) => {
  let text: string;
  let objects: readonly KubernetesObject[];
  const named = (kind: string, name: string) =>
    objects.some((object) => object.kind === kind && object.metadata.name === name);

  beforeAll(() => {
    text = hasHelm ? STAMP + rendered(flagsOf(values)) : read(keptAt(values));
    if (hasHelm && process.env.UPDATE_CHART !== undefined) writeFileSync(join(root, keptAt(values)), text);
    objects = objectsOf(text);
  });

  test('is the rendering that is kept, made of the chart as it is', () => {
    // Run `HELM=… UPDATE_CHART=1 npm test -- ./test/deploy/chart.test.ts` after a change of the chart, and read the difference.
    expect(read(keptAt(values))).toBe(text);
    expect(text).toStartWith(STAMP);
  });

  if (hasHelm) {
    test('has nothing that helm finds wrong', () => {
      const { code, output } = run('lint', '--strict', chart, ...flagsOf(values));
      expect([code, output]).toEqual([0, expect.stringContaining('1 chart(s) linted, 0 chart(s) failed')]);
    });
  }

  test('is what Kubernetes’ schemas allow', async () => {
    const faults = await Promise.all(objects.map(schemaFault));
    expect(faults.filter((fault) => fault !== null)).toEqual([]);
    expect(objects.length).toBeGreaterThan(5);
  });

  test('has no field that Kubernetes does not know', () => {
    expect(typeFaults(objects)).toBe('');
  });

  test('selects the gateway’s pods, and no others, wherever it selects', () => {
    const { selector, template } = workloadOf(objects);
    const job = specOf<WorkloadSpec | undefined>(find(objects, 'Job'));
    const selectors = objects.flatMap((object): Readonly<Record<string, string>>[] => {
      if (object.kind === 'Service') return [specOf<{ selector: Record<string, string> }>(object).selector];
      if (object.kind === 'NetworkPolicy') return [specOf<{ podSelector: Selector }>(object).podSelector.matchLabels];
      return object.kind === 'PodDisruptionBudget' ? [specOf<{ selector: Selector }>(object).selector.matchLabels] : [];
    });
    expect(selectors.length).toBeGreaterThan(2);
    for (const each of [selector.matchLabels, ...selectors]) {
      expect(selects(each, template.metadata.labels)).toBe(true);
      if (job !== undefined) expect(selects(each, job.template.metadata.labels)).toBe(false);
    }
  });

  test('probes and serves a port that the container has', () => {
    const { ports, startupProbe, livenessProbe, readinessProbe } = gatewayOf(objects);
    expect(ports).toEqual([{ name: 'http', containerPort: 4000 }]);
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: '/health/liveliness', port: 'http' },
      { path: '/health/liveliness', port: 'http' },
      { path: '/health/readiness', port: 'http' },
    ]);
    for (const service of objects.filter(({ kind }) => kind === 'Service'))
      expect(specOf<{ ports: unknown }>(service).ports).toEqual([{ name: 'http', port: 4000, targetPort: 'http' }]);
  });

  test('runs everything as a user who may nothing, on a root that is read-only, with resources set', () => {
    const pods = objects
      .filter(({ kind }) => ['StatefulSet', 'Deployment', 'Job'].includes(kind))
      .map((object) => specOf<WorkloadSpec>(object).template.spec);
    for (const { automountServiceAccountToken, securityContext, containers } of pods) {
      expect(automountServiceAccountToken).toBe(false);
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext: own, resources } of containers) {
        expect(own).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(Object.keys(resources.requests)).toEqual(['cpu', 'memory']);
        expect(Object.keys(resources.limits)).toEqual(['memory']);
      }
    }
    // The user is the one whom the image gives the data folder.
    expect(read('Dockerfile')).toContain('USER 10001:10001');
  });

  test('gives the pod longer to end than the gateway takes', () => {
    const whole = /^const DEFAULT_WHOLE = seconds\((\d+)\);/m.exec(read('src/cli/shutdown.ts'));
    const drain = Number(whole?.[1]);
    expect(drain).toBeGreaterThan(0);
    const pause = gatewayOf(objects).lifecycle.preStop.sleep.seconds;
    expect(workloadOf(objects).template.spec.terminationGracePeriodSeconds).toBeGreaterThan(pause + drain);
    expect(pause).toBeGreaterThan(0);
  });

  test('mounts what it has, and the configuration where the arguments say', () => {
    const { args, volumeMounts, env } = gatewayOf(objects);
    const { template, volumeClaimTemplates = [] } = workloadOf(objects);
    const volumes = template.spec.volumes.map(({ name }) => name);
    const all = [...volumes, ...volumeClaimTemplates.map(({ metadata }) => metadata.name)];
    expect(volumeMounts.map(({ name }) => name).toSorted()).toEqual(all.toSorted());
    expect(args.slice(0, 2)).toEqual(['--config', '/app/config.yaml']);
    expect(volumeMounts.find(({ mountPath }) => mountPath === '/app')).toMatchObject({
      name: 'config',
      readOnly: true,
    });
    expect(env.find(({ name }) => name === 'TOLLGATE_DATA_DIR')?.value).toBe('/data');
    expect(volumeMounts.find(({ mountPath }) => mountPath === '/data')?.name).toBe('data');
    expect(template.spec.volumes.find(({ name }) => name === 'config')).toMatchObject({
      configMap: { name: find(objects, 'ConfigMap')?.metadata.name },
    });
    expect(named('ServiceAccount', template.spec.serviceAccountName ?? '')).toBe(true);
  });

  test('has a configuration that the gateway takes', () => {
    const data = find(objects, 'ConfigMap')?.data as Readonly<Record<string, string>>;
    const loaded = loadConfig({
      path: 'config.yaml',
      readFile: () => data['config.yaml'] ?? '',
      env: { LITELLM_MASTER_KEY: 'sk-1', OPENAI_API_KEY: 'sk-2' },
      strict: true,
      demo: null,
    });
    expect(loaded.kind).toBe('loaded');
  });

  test('keeps secrets out of everything but the Secret', () => {
    const secret = find(objects, 'Secret')?.stringData as Readonly<Record<string, string>> | undefined;
    const others = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'));
    for (const value of Object.values(secret ?? {})) expect(others).not.toContain(value);
    const { env, envFrom } = gatewayOf(objects);
    const name =
      secret === undefined
        ? values === 'defaults'
          ? 'release-tollgate'
          : 'tollgate-environment'
        : find(objects, 'Secret')?.metadata.name;
    expect(envFrom).toEqual([{ secretRef: { name } }]);
    const given = env.find((each) => each.name === 'DATABASE_URL');
    if (values === 'embedded') expect(given).toEqual({ name: 'DATABASE_URL', value: '' });
    else expect(given?.valueFrom).toEqual({ secretKeyRef: { name, key: 'DATABASE_URL' } });
  });
});

if (!hasHelm) {
  test('the Helm chart: not rendered, there is no helm', () => {
    console.warn(
      '\n*** the Helm chart: NOT RENDERED, there is no helm on the PATH and HELM is not set; the kept renderings were checked ***\n',
    );
  });
} else {
  describe('the chart', () => {
    test('keeps each replica’s journal in a claim that outlives the pod', () => {
      const { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy, serviceName, replicas } = workloadOf(
        render([]),
      );
      expect(volumeClaimTemplates?.map(({ metadata }) => metadata.name)).toEqual(['data']);
      expect(persistentVolumeClaimRetentionPolicy).toEqual({ whenDeleted: 'Retain', whenScaled: 'Retain' });
      const peers = render([]).find(({ metadata }) => metadata.name === serviceName);
      expect(specOf<{ clusterIP: string }>(peers).clusterIP).toBe('None');
      expect(replicas).toBe(2);
    });

    test('shares a claim among a Deployment’s pods, or says that the journal goes with the pod', () => {
      const dataOf = (flags: readonly string[]) =>
        workloadOf(render(flags)).template.spec.volumes.find(({ name }) => name === 'data');
      expect(dataOf(flagsOf('locked'))).toEqual({
        name: 'data',
        persistentVolumeClaim: { claimName: 'tollgate-journals' },
      });
      expect(dataOf(['--set', 'workload=Deployment'])).toEqual({ name: 'data', emptyDir: { sizeLimit: '2Gi' } });
      expect(read('deploy/helm/tollgate/templates/NOTES.txt')).toContain(
        'spend that the database had not taken by then is lost',
      );
    });

    test('migrates before an upgrade with the new image, in a job that needs nothing of the release', () => {
      const job = find(render(flagsOf('production')), 'Job');
      expect(job?.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
      const { template } = specOf<WorkloadSpec>(job);
      const [container] = template.spec.containers;
      expect(container?.args).toEqual(['migrate']);
      expect(container?.image).toBe(gatewayOf(render(flagsOf('production'))).image);
      expect(template.spec.serviceAccountName).toBeUndefined();
      expect(JSON.stringify(template.spec)).not.toContain('configMap');
      // Of a Secret that the chart makes nothing is there before an installation.
      const made = find(render(['--set', 'secret.values.DATABASE_URL=postgresql://db/x']), 'Job');
      expect(made?.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-upgrade' });
      expect(find(render(flagsOf('embedded')), 'Job')).toBeUndefined();
    });

    test('scales on CPU and on requests in flight, a metric that the gateway has', () => {
      const objects = render(flagsOf('production'));
      const scaler = specOf<{ scaleTargetRef: unknown; metrics: readonly unknown[] }>(
        find(objects, 'HorizontalPodAutoscaler'),
      );
      expect(scaler.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'release-tollgate' });
      expect(scaler.metrics).toEqual([
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
        {
          type: 'Pods',
          pods: {
            metric: { name: 'tollgate_requests_in_flight' },
            target: { type: 'AverageValue', averageValue: '200' },
          },
        },
      ]);
      expect(read('src/cli/metrics.ts')).toContain("'tollgate_requests_in_flight'");
      // A number of replicas in the workload would fight with the autoscaler at every upgrade.
      expect(workloadOf(objects).replicas).toBeUndefined();
    });

    test('is scraped once for each pod', () => {
      const objects = render(flagsOf('locked').concat('--set', 'workload=StatefulSet,persistence.existingClaim='));
      const { selector, endpoints } = specOf<{
        selector: Selector;
        endpoints: readonly { port: string; path: string }[];
      }>(find(objects, 'ServiceMonitor'));
      const services = objects.filter(
        ({ kind, metadata }) => kind === 'Service' && selects(selector.matchLabels, metadata.labels ?? {}),
      );
      expect(services.map(({ metadata }) => metadata.name)).toEqual(['release-tollgate']);
      expect(endpoints).toEqual([{ port: 'http', path: '/metrics', interval: '30s' } as never]);
    });

    test('carries the alert rules unchanged', () => {
      const { groups } = specOf<{ groups: unknown }>(find(render(flagsOf('locked')), 'PrometheusRule'));
      const files = readdirSync(join(chart, 'files/rules')).toSorted();
      expect(groups).toEqual(files.flatMap((name) => parse(read(`deploy/helm/tollgate/files/rules/${name}`)).groups));
    });

    test('lets only what is named in and out, and names servers always', () => {
      const { ingress, egress, policyTypes } = specOf<{
        ingress: unknown;
        egress: readonly unknown[];
        policyTypes: unknown;
      }>(find(render(flagsOf('locked')), 'NetworkPolicy'));
      expect(policyTypes).toEqual(['Ingress', 'Egress']);
      expect(ingress).toEqual([
        {
          ports: [{ port: 'http' }],
          from: [
            { podSelector: { matchLabels: { 'tollgate-client': 'true' } } },
            { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
          ],
        },
      ]);
      expect(egress[0]).toEqual({
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      });
      expect(egress.length).toBe(3);
    });

    test.each([
      ['two replicas on an embedded database', ['database=embedded'], 'embedded serves one replica'],
      [
        'an embedded database that goes with the pod',
        ['database=embedded', 'replicas=1', 'workload=Deployment'],
        'needs persistence.existingClaim',
      ],
      ['a shared claim in a StatefulSet', ['persistence.existingClaim=x'], 'is for workload=Deployment'],
      ['two Secrets', ['secret.name=x', 'secret.values.A=b'], 'give one of them'],
      ['a scaler without a measure', ['autoscaling.enabled=true', 'autoscaling.cpu=null'], 'set cpu or inFlight'],
      ['a misspelt value', ['replicaCount=3'], 'replicaCount'],
    ])('refuses %s', (_, settings, reason) => {
      const flags = settings.flatMap((setting) => ['--set', setting]);
      const { code, error } = run('template', 'release', chart, '--kube-version', KUBERNETES, ...flags);
      expect([code, error]).toEqual([1, expect.stringContaining(reason)]);
    });

    test('the checks themselves see a wrong type, and a field that does not exist', async () => {
      const [workload] = render([]).filter(({ kind }) => kind === 'StatefulSet') as [KubernetesObject];
      const spec = workload.spec as object;
      expect(await schemaFault({ ...workload, spec: { ...spec, replicas: 'two' } })).toContain('replicas');
      expect(typeFaults([{ ...workload, spec: { ...spec, replica: 2 } }])).toMatch(/"replica"' does not exist in type/);
    });
  });
}
