/** NumPy's .npz: a zip of .npy files, stored or deflated. */
import { listed } from '../../protocol/clip.js';
import { decodeNpy, NPY_HEADER_BYTES, parseNpyHeader, type NpyHeader } from './npy.js';
import type { NdArray } from './ndarray.js';
import { ZipFile } from './zip.js';

/** An open .npz file: headers are in memory, arrays are read when asked for. */
export class NpzFile {
  private constructor(
    private readonly zip: ZipFile,
    private readonly headers: ReadonlyMap<string, NpyHeader | Error>,
  ) {}

  /**
   * Opens the archive and reads the header of every array. An array of an unsupported type fails only when it is read.
   */
  static async open(path: string): Promise<NpzFile> {
    return NpzFile.fromZip(await ZipFile.open(path));
  }

  /** Uses an archive that is already open. */
  static async fromZip(zip: ZipFile): Promise<NpzFile> {
    try {
      const headers = new Map<string, NpyHeader | Error>();
      for (const entry of zip.entries.keys()) {
        if (!entry.endsWith('.npy')) continue;
        try {
          headers.set(
            entry.slice(0, -4),
            parseNpyHeader(await zip.readStart(entry, NPY_HEADER_BYTES), `${zip.path}: ${entry}`),
          );
        } catch (error) {
          headers.set(entry.slice(0, -4), error instanceof Error ? error : new Error(String(error)));
        }
      }
      if (headers.size === 0) throw new Error(`${zip.path}: the archive holds no .npy array`);
      return new NpzFile(zip, headers);
    } catch (error) {
      await zip.close();
      throw error;
    }
  }

  names(): string[] {
    return [...this.headers.keys()];
  }

  info(name: string): { dtype: NpyHeader['dtype']; shape: number[] } {
    const header = this.headers.get(name);
    if (!header) throw new Error(`${this.zip.path}: no array "${name}"; it has ${listed(this.names())}`);
    if (header instanceof Error) throw header;
    return { dtype: header.dtype, shape: [...header.shape] };
  }

  async read(name: string): Promise<NdArray> {
    this.info(name);
    return decodeNpy(await this.zip.read(`${name}.npy`), `${this.zip.path}: ${name}`);
  }

  close(): Promise<void> {
    return this.zip.close();
  }
}
