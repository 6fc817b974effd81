/** A look at values for NaN and infinity, of bounded size: small tensors whole, of large ones the first, middle and last rows. */
import { checkAborted } from '../compute/call.js';
import { byteLengthOf, toFloat32, type NdArray } from '../io/ndarray.js';
import { SafetensorsFile } from '../io/safetensors.js';
import type { WeightSource } from '../io/weights.js';
import type { Report } from './report.js';
import type { Finding } from './types.js';

/** Of one tensor. */
const SAMPLE_BYTES = 1 << 20;
/** Read whole where the format has no rows to choose from. */
const WHOLE_BYTES = 4 << 20;
/** Of all tensors together. */
const MOST_BYTES = 64 << 20;

const FLOATS: ReadonlySet<string> = new Set(['F64', 'F32', 'F16', 'BF16']);

/** `severity`: what a value that is not finite means to who loads it. */
export async function lookAtValues(
  report: Report,
  source: WeightSource,
  severity: Finding['severity'],
  signal?: AbortSignal,
): Promise<void> {
  const found: string[] = [];
  for (const name of source.names()) {
    checkAborted(signal, 'inspecting');
    try {
      for (const part of await samples(source, name, MOST_BYTES - report.inspection.values.looked)) {
        report.inspection.values.looked += part.data.byteLength;
        const values = part.data instanceof Float64Array ? part.data : toFloat32(part);
        if (!values.every(Number.isFinite)) {
          found.push(name);
          break;
        }
      }
    } catch (error) {
      report.failed(error);
    }
  }
  if (found.length > 0)
    report.add('not-finite', severity, `NaN or infinity in ${found.slice(0, 5).join(', ')}${more(found)}`, found);
}

const more = (names: readonly string[]): string => (names.length > 5 ? ` and ${names.length - 5} more` : '');

async function samples(source: WeightSource, name: string, budget: number): Promise<NdArray[]> {
  const { dtype, shape } = infoOf(source, name) ?? {};
  if (dtype === undefined || shape === undefined || !FLOATS.has(dtype)) return [];
  const bytes = byteLengthOf(dtype, shape);
  if (bytes === 0 || Math.min(bytes, SAMPLE_BYTES) > budget) return [];
  if (bytes <= Math.min(budget, WHOLE_BYTES)) return [await source.read(name)];
  if (!(source instanceof SafetensorsFile)) return [];
  const rowBytes = bytes / shape[0];
  const rows = Math.floor(SAMPLE_BYTES / 3 / rowBytes);
  if (rows < 1) return [];
  const starts = [0, Math.floor((shape[0] - rows) / 2), shape[0] - rows];
  return Promise.all(starts.map((first) => source.readRows(name, first, rows)));
}

function infoOf(source: WeightSource, name: string): ReturnType<WeightSource['info']> | undefined {
  try {
    return source.info(name);
  } catch {
    // Told as a tensor whose type is not read.
    return undefined;
  }
}
