/** Requests to a Hugging Face hub, and errors made from its answers. The token is only sent to the endpoint. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AbortError } from '../compute/call.js';
import type { RepoOptions } from './hub.js';

export type RepoType = NonNullable<RepoOptions['repoType']>;

/** What went wrong, for callers that can try another way. */
export type HubErrorCode =
  'unauthorized' | 'forbidden' | 'no-repo' | 'no-revision' | 'no-file' | 'network' | 'server' | 'damaged';

/** A request to the hub that failed; `code` says how, the message what to do. */
export class HubError extends Error {
  override name = 'HubError';
  constructor(
    readonly code: HubErrorCode,
    message: string,
  ) {
    super(message);
  }
}

export interface HubClient {
  endpoint: string;
  /** fetch with the token (only for the endpoint), a time limit for the answer to begin, and the call's signal. */
  fetch: typeof fetch;
  /** True: no request is made (HF_HUB_OFFLINE). */
  offline: boolean;
  signal: AbortSignal | undefined;
}

/** A server that does not begin to answer within these milliseconds counts as unreachable. */
const ANSWER_MS = 15_000;

/** HF_HOME, else huggingface in XDG_CACHE_HOME or ~/.cache. */
export function huggingFaceHome(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return process.env.HF_HOME ?? join(cache, 'huggingface');
}

/** The option, else HF_TOKEN (or HUGGING_FACE_HUB_TOKEN), else the file that "hf auth login" writes. */
async function findToken(option: string | undefined): Promise<string | undefined> {
  const given = option ?? process.env.HF_TOKEN ?? process.env.HUGGING_FACE_HUB_TOKEN;
  if (given !== undefined) return given.trim() || undefined;
  const file = process.env.HF_TOKEN_PATH ?? join(huggingFaceHome(), 'token');
  return readFile(file, 'utf8').then(
    (text) => text.trim() || undefined,
    () => undefined,
  );
}

/**
 * A client for an endpoint. Defaults: HF_ENDPOINT, else https://huggingface.co; the token as Python's hub library finds
 * it.
 */
export async function hubClient(o: Pick<RepoOptions, 'token' | 'endpoint' | 'signal'>): Promise<HubClient> {
  const endpoint = (o.endpoint ?? process.env.HF_ENDPOINT ?? 'https://huggingface.co').replace(/\/+$/, '');
  const token = await findToken(o.token);
  const origin = new URL(endpoint).origin;
  return {
    endpoint,
    offline: /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? ''),
    signal: o.signal,
    fetch: async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const headers = new Headers(init?.headers);
      // A redirect to another origin drops this header (fetch standard), so storage hosts never see the token.
      if (token && url.origin === origin) headers.set('authorization', `Bearer ${token}`);
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), ANSWER_MS);
      const signals = [deadline.signal, ...(o.signal ? [o.signal] : [])];
      try {
        return await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
      } catch (error) {
        if (o.signal?.aborted) throw new AbortError('download');
        throw new HubError('network', `cannot reach ${url.origin}: ${networkCause(error, deadline.signal)}`);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function networkCause(error: unknown, deadline: AbortSignal): string {
  if (deadline.aborted) return `no answer within ${ANSWER_MS / 1000} s`;
  const cause = error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined;
  return cause?.code ?? cause?.message ?? 'the request failed';
}

/**
 * A failed answer as an error for people. `what` such as 'model "a/b"'; `page` is where a person can look. Never
 * contains the token.
 */
export function hubFailure(status: number, errorCode: string | null, what: string, page: string): HubError {
  if (status === 401) {
    return new HubError(
      'unauthorized',
      `${what} does not exist or is private (401). Check the name; for a private repo set HF_TOKEN or { token }, or run "hf auth login"`,
    );
  }
  if (status === 403) {
    return new HubError(
      'forbidden',
      `${what} may not be read with this token (403). If it is gated, accept its terms at ${page}`,
    );
  }
  if (status === 404) {
    if (errorCode === 'RevisionNotFound')
      return new HubError('no-revision', `${what} has no such revision (404); see ${page}`);
    if (errorCode === 'EntryNotFound') return new HubError('no-file', `${what}: no such file (404); see ${page}`);
    return new HubError('no-repo', `${what} does not exist (404); see ${page}`);
  }
  if (status === 429)
    return new HubError('server', `${what}: too many requests (429); wait a few minutes, or set HF_TOKEN`);
  return new HubError('server', `${what}: the hub answered with status ${status}; try again later`);
}
