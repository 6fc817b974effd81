/** A Hugging Face hub on this machine, with faults on request. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubRequest {
  path: string;
  authorization: string | undefined;
  range: string | undefined;
}

export interface FakeRepo {
  type: 'model' | 'dataset';
  id: string;
  commit: string;
  revisions: string[];
  /** lfs files are served by the storage server, through a redirect. */
  files: Record<string, { data: Uint8Array; lfs?: boolean }>;
  /** Token needed. */
  token?: string;
  gated?: boolean;
}

export const sha256Of = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
export const gitIdOf = (data: Uint8Array): string =>
  createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

/** What the next answers with file contents do wrong; taken one by one. */
export type Fault =
  { cutAfter: number } | { status: number } | { corrupt: true } | { longer: true } | { noRange: true };

/** Speaks the hub's protocol on 127.0.0.1: info, tree with pages, resolve with redirect to storage, ranges, errors. */
export class FakeHub {
  readonly requests: HubRequest[] = [];
  readonly storageRequests: HubRequest[] = [];
  readonly faults: Fault[] = [];
  /** Bytes of files that were answered with. */
  sent = 0;
  repos: FakeRepo[] = [];
  private readonly hub = createServer((request, response) => this.answer(request, response));
  private readonly storage = createServer((request, response) => {
    this.storageRequests.push(this.seen(request));
    const [, hash] = (request.url ?? '').split('/');
    const file = this.repos.flatMap((repo) => Object.values(repo.files)).find(({ data }) => sha256Of(data) === hash);
    if (file) this.send(file.data, sha256Of(file.data), request, response);
    else response.writeHead(404).end();
  });

  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    for (const server of [this.hub, this.storage])
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.storage]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  private seen(request: IncomingMessage): HubRequest {
    return {
      path: decodeURIComponent(request.url ?? ''),
      authorization: request.headers.authorization,
      range: request.headers.range,
    };
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const seen = this.seen(request);
    this.requests.push(seen);
    const [path, query = ''] = seen.path.split('?');
    const fail = (status: number, code: string): void => {
      response.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' }).end('{"error":"no"}');
    };
    const candidates = this.repos.filter(
      ({ type, id }) =>
        path.startsWith(`/api/${type}s/${id}/`) || path.startsWith(`/${type === 'model' ? '' : 'datasets/'}${id}/`),
    );
    // Several entries of one id are its branches.
    const repo =
      candidates.find((r) => [...r.revisions, r.commit].some((name) => path.includes(`/${name}`))) ?? candidates[0];
    // As the hub does: who is not logged in learns nothing about what exists.
    if (!repo) return fail(seen.authorization ? 404 : 401, 'RepoNotFound');
    if (repo.token && seen.authorization !== `Bearer ${repo.token}`) return fail(401, 'RepoNotFound');
    if (repo.gated) return fail(403, 'GatedRepo');
    const rest = path.slice(path.indexOf(repo.id) + repo.id.length + 1);
    const [kind, ...parts] = rest.split('/');
    const json = (value: unknown, headers = {}): void => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    };
    if (kind === 'revision') {
      if (![...repo.revisions, repo.commit].includes(parts.join('/'))) return fail(404, 'RevisionNotFound');
      return json({ _id: 'x', id: repo.id, sha: repo.commit, lastModified: '2024-01-01T00:00:00Z' });
    }
    if (parts[0] !== repo.commit) return fail(404, 'RevisionNotFound');
    if (kind === 'tree') return this.tree(repo, path, query, json);
    const file = repo.files[parts.slice(1).join('/')];
    if (!file) return fail(404, 'EntryNotFound');
    if (!file.lfs) return this.send(file.data, gitIdOf(file.data), request, response);
    const hash = sha256Of(file.data);
    const location = `http://localhost:${(this.storage.address() as AddressInfo).port}/${hash}`;
    response
      .writeHead(302, {
        location,
        'x-linked-etag': `"${hash}"`,
        'x-linked-size': file.data.length,
        'x-repo-commit': repo.commit,
      })
      .end();
  }

  /** Two entries a page, so that following pages is needed. */
  private tree(repo: FakeRepo, path: string, query: string, json: (value: unknown, headers?: object) => void): void {
    const cursor = Number(new URLSearchParams(query).get('cursor') ?? 0);
    const entries = Object.entries(repo.files).map(([name, { data, lfs }]) => ({
      type: 'file',
      path: name,
      size: data.length,
      oid: gitIdOf(data),
      ...(lfs ? { lfs: { oid: sha256Of(data), size: data.length, pointerSize: 130 } } : {}),
    }));
    const next =
      cursor + 2 < entries.length
        ? { link: `<${this.endpoint}${path}?recursive=true&cursor=${cursor + 2}>; rel="next"` }
        : {};
    json(entries.slice(cursor, cursor + 2), next);
  }

  private send(data: Uint8Array, etag: string, request: IncomingMessage, response: ServerResponse): void {
    const fault = this.faults.shift();
    if (fault && 'status' in fault) return void response.writeHead(fault.status).end();
    const range = fault && 'noRange' in fault ? null : /^bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, data.length) : data.length;
    let body = data.slice(from, end);
    if (fault && 'corrupt' in fault && body.length > 0) body[body.length - 1] ^= 1;
    if (fault && 'longer' in fault) body = Uint8Array.from([...body, 1, 2, 3]);
    const headers = { etag: `"${etag}"`, 'accept-ranges': 'bytes', 'content-length': body.length };
    this.sent += body.length;
    if (from > 0 || end < data.length)
      response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${end - 1}/${data.length}` });
    else response.writeHead(200, headers);
    if (fault && 'cutAfter' in fault) {
      response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 20));
    } else response.end(body);
  }
}
