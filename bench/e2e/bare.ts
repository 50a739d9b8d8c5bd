/**
 * The engine as a plain proxy, nothing more: what is left when all gateway work is taken away.
 *
 *   bun bench/e2e/bare.ts PORT UPSTREAM_PORT
 *
 * The body is read whole and the answer handed through, the cheapest form Bun offers for each.
 */
const [port, upstreamPort] = process.argv.slice(2).map(Number);

Bun.serve({
  hostname: '127.0.0.1',
  port: port ?? 0,
  idleTimeout: 0,
  maxRequestBodySize: 64 << 20,
  async fetch(request) {
    const path = request.url.slice(request.url.indexOf('/', 8));
    if (request.method === 'GET') return new Response('ready');
    const answer = await fetch(`http://127.0.0.1:${upstreamPort}${path}`, {
      method: request.method,
      headers: request.headers,
      body: await request.arrayBuffer(),
      decompress: false,
      redirect: 'manual',
    });
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  },
});
