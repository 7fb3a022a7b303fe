// What programs do with the JavaScript client, in one session: node session.mjs NAMESPACE. Ends with 1 at the first surprise.
import assert from 'node:assert/strict';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import * as k8s from '@kubernetes/client-node';

const namespace = process.argv[2];
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const as = (strategy) => k8s.setHeaderOptions('Content-Type', strategy);
const web = { name: 'web', namespace };

async function until(what, look) {
  for (let tries = 0; tries < 300; tries++) {
    const found = await look();
    if (found) return found;
    await pause(100);
  }
  assert.fail(`${what}: not within 30 s`);
}

function collected() {
  const stream = new PassThrough();
  stream.text = '';
  stream.on('data', (data) => (stream.text += data));
  return stream;
}

const run = (pod, command, out, input, tty = false) =>
  new Promise((done, failed) =>
    new k8s.Exec(config).exec(namespace, pod, 'c', command, out, null, input, tty, done).catch(failed),
  );

const steps = {
  async informer() {
    const seen = [];
    const list = () => core.listNamespacedPod({ namespace });
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/pods`, list);
    for (const event of ['add', 'update', 'error']) informer.on(event, () => seen.push(event));
    await informer.start();
    const labels = { app: 'web' };
    const container = { name: 'c', image: 'localhost/hello:1', ports: [{ containerPort: 8080 }] };
    const template = { metadata: { labels }, spec: { containers: [container] } };
    const spec = { replicas: 2, selector: { matchLabels: labels }, template };
    await apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'web' }, spec } });
    await until('available', async () => (await apps.readNamespacedDeployment(web)).status.availableReplicas === 2);
    await until('the informer', () => seen.includes('add') && seen.includes('update'));
    assert(!seen.includes('error'));
    await informer.stop();
  },

  async patches() {
    const scaled = [{ op: 'replace', path: '/spec/replicas', value: 1 }];
    assert.equal((await apps.patchNamespacedDeployment({ ...web, body: scaled })).spec.replicas, 1);
    const labelled = { metadata: { labels: { a: 'b' } } };
    const merged = as(k8s.PatchStrategy.StrategicMergePatch);
    assert.equal((await apps.patchNamespacedDeployment({ ...web, body: labelled }, merged)).metadata.labels.a, 'b');
    const applied = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', labels: { c: 'd' } } };
    const request = { ...web, fieldManager: 'session', force: true, body: applied };
    const found = await apps.patchNamespacedDeployment(request, as(k8s.PatchStrategy.ServerSideApply));
    assert(found.metadata.managedFields.some((one) => one.manager === 'session' && one.operation === 'Apply'));
    assert(found.metadata.creationTimestamp instanceof Date);
  },

  async refusals() {
    const stale = await apps.readNamespacedDeployment(web);
    stale.metadata.resourceVersion = '1';
    await assert.rejects(apps.replaceNamespacedDeployment({ ...web, body: stale }), { code: 409 });
    await assert.rejects(core.readNamespacedPod({ name: 'none', namespace }), { code: 404 });
  },

  async 'into a pod'() {
    const pods = await until('one pod', async () => {
      const { items } = await core.listNamespacedPod({ namespace, labelSelector: 'app=web' });
      return items.length === 1 && items;
    });
    const pod = pods[0].metadata.name;
    const said = collected();
    const input = new PassThrough();
    input.end('through and back\n');
    const status = await run(pod, ['sh', '-c', 'cat; exit 3'], said, input);
    assert.equal(said.text, 'through and back\n');
    assert.deepEqual([status.status, status.details.causes[0].message], ['Failure', '3']);
    const terminal = Object.assign(collected(), { columns: 100, rows: 30 });
    const wait = 'until [ "$(stty size)" = "30 100" ]; do sleep 0.1; done; echo sized';
    await run(pod, ['sh', '-c', wait], terminal, new PassThrough(), true);
    assert.match(terminal.text, /sized/);
    await forwarded(pod);
  },

  async metrics() {
    const metrics = new k8s.Metrics(config);
    await until('usage', async () => (await metrics.getPodMetrics(namespace)).items.length > 0);
    assert.equal((await k8s.topPods(core, metrics, namespace)).length, 1);
  },

  async 'any kind'() {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', namespace }, data: { a: 'b' } };
    await objects.create(map);
    assert.deepEqual((await objects.patch({ ...map, data: { c: 'd' } })).data, { a: 'b', c: 'd' });
    await objects.delete(map);
  },
};

async function forwarded(pod) {
  const forward = new k8s.PortForward(config);
  const server = net.createServer((socket) => forward.portForward(namespace, pod, [8080], socket, null, socket));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  assert.match(await answer.text(), /hello/);
  server.closeAllConnections?.();
  server.close();
}

for (const [name, step] of Object.entries(steps)) {
  await step();
  console.log(name);
}
process.exit(0);
