/**
 * Python pickles, read as data. Nothing is ever executed: a global is only a name that the caller's table either maps
 * to a pure function of this program or refuses. Opcodes are those that protocols 0 to 5 use for plain data; any other
 * is an error. Source: CPython's Lib/pickletools.py.
 *
 * Python → here: None null, bool boolean, int number (bigint beyond 2^53), float number, str string, bytes Uint8Array,
 * list and tuple Array, dict Map, set Set.
 */

import { clip } from '../../protocol/clip.js';

/** Takes `units` (elements, characters) from the work that a pickle may cause; throws when it is used up. */
export type Spend = (units: number) => void;

/**
 * A global that was named and allowed; calling it (REDUCE, NEWOBJ) runs our function on the pickled arguments. The
 * pickle can name a value again at a cost of three bytes, so each call must spend what one use of it costs.
 */
export class PickleGlobal {
  constructor(
    readonly name: string,
    readonly call?: (args: unknown[], spend: Spend) => unknown,
  ) {}
}

/** An object that a call makes and BUILD then completes, as numpy's arrays and dtypes are pickled. */
export abstract class PickledObject {
  /** Takes the pickled state; throws on a state that does not fit the object. */
  abstract build(state: unknown, spend: Spend): void;
}

export interface PickleOptions {
  /** Resolves "module.name"; undefined means that it is refused. */
  findGlobal: (name: string) => PickleGlobal | undefined;
  /** Resolves a persistent id; without this function they are refused. */
  persistentLoad?: (id: unknown) => unknown;
  /**
   * Gives an object that findGlobal made its attributes; false means that they are refused. Without this function all
   * are.
   */
  build?: (object: unknown, state: unknown) => boolean;
  /** Begins every error. */
  what: string;
  /** Bytes on the disk that the pickle came from, where it was compressed; default its own length. */
  bytesOnDisk?: number;
}

/** Work that even a small file may cause; a larger one more, in proportion to its size. */
const FREE_WORK = 1 << 20;

/** The input ended inside the pickle: more bytes may help. */
export class PickleTruncated extends Error {
  override name = 'PickleTruncated';
}

/** Reads one pickle that starts at `start`. `end` is the offset after its STOP. */
export function unpickle(bytes: Uint8Array, options: PickleOptions, start = 0): { value: unknown; end: number } {
  return new PickleReader(bytes, options, start).read();
}

const OPCODE_NAMES: Record<number, string> = {
  0x69: 'INST',
  0x6f: 'OBJ',
  0x82: 'EXT1',
  0x83: 'EXT2',
  0x84: 'EXT4',
  0x92: 'NEWOBJ_EX',
  0x97: 'NEXT_BUFFER',
  0x98: 'READONLY_BUFFER',
};

const char = (c: string): number => c.charCodeAt(0);

class PickleReader {
  private readonly view: DataView;
  private stack: unknown[] = [];
  /** Stacks below each open MARK. */
  private readonly marks: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();
  /** Work that opcodes and calls may still cause. */
  private work: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly options: PickleOptions,
    private at: number,
  ) {
    this.work = FREE_WORK + (options.bytesOnDisk ?? bytes.length);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): { value: unknown; end: number } {
    for (;;) {
      const opcode = this.byte();
      this.spend(1);
      if (opcode === char('.')) return { value: this.pop(), end: this.at };
      if (!this.literal(opcode) && !this.container(opcode) && !this.memory(opcode) && !this.object(opcode)) {
        const name =
          OPCODE_NAMES[opcode] ?? (opcode > 32 && opcode < 127 ? `'${String.fromCharCode(opcode)}'` : 'unknown');
        throw this.error(
          `opcode 0x${opcode.toString(16)} (${name}) at byte ${this.at - 1} is not one of plain data; nothing was executed`,
        );
      }
    }
  }

  /** Opcodes with values in the stream. */
  private literal(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.byte() > 5) throw this.error(`protocol ${this.bytes[this.at - 1]}; 0 to 5 are read`);
        return true;
      case 0x95: // FRAME
        this.take(8);
        return true;
      case char('N'):
        return this.push(null);
      case 0x88:
        return this.push(true);
      case 0x89:
        return this.push(false);
      case char('J'):
        return this.push(this.view.getInt32(this.take(4), true));
      case char('K'):
        return this.push(this.byte());
      case char('M'):
        return this.push(this.view.getUint16(this.take(2), true));
      case 0x8a: // LONG1
        return this.push(this.long(this.byte()));
      case 0x8b: // LONG4
        return this.push(this.long(this.view.getInt32(this.take(4), true)));
      case char('G'):
        return this.push(this.view.getFloat64(this.take(8), false));
      case char('I'):
      case char('L'):
      case char('F'):
        return this.push(this.textNumber(opcode));
      default:
        return this.text(opcode);
    }
  }

  /** Opcodes of str and bytes. */
  private text(opcode: number): boolean {
    switch (opcode) {
      case char('X'): // BINUNICODE
        return this.push(this.string(this.view.getUint32(this.take(4), true)));
      case 0x8c: // SHORT_BINUNICODE
        return this.push(this.string(this.byte()));
      case 0x8d: // BINUNICODE8
        return this.push(this.string(this.length8()));
      case char('T'): // BINSTRING, Python 2's str
        return this.push(this.string(this.view.getInt32(this.take(4), true)));
      case char('U'): // SHORT_BINSTRING
        return this.push(this.string(this.byte()));
      case char('V'): // UNICODE
        // Python's raw-unicode-escape: Latin-1, and the rest as \uXXXX or \UXXXXXXXX.
        return this.push(
          this.line('latin1').replace(
            /\\u([0-9a-fA-F]{4})|\\U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})/g,
            (_, short, long) => String.fromCodePoint(parseInt((short ?? long) as string, 16)),
          ),
        );
      case char('S'): {
        const quoted = /^(['"])([^\\]*)\1$/.exec(this.line());
        if (!quoted) throw this.error('a quoted string is not readable');
        return this.push(quoted[2]);
      }
      case char('B'): // BINBYTES
        return this.push(this.blob(this.view.getUint32(this.take(4), true)));
      case char('C'): // SHORT_BINBYTES
        return this.push(this.blob(this.byte()));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.push(this.blob(this.length8()));
      default:
        return false;
    }
  }

  private container(opcode: number): boolean {
    switch (opcode) {
      case char('('):
        this.marks.push(this.stack);
        this.stack = [];
        return true;
      case char(']'):
      case char(')'):
        return this.push([]);
      case char('}'):
        return this.push(new Map());
      case 0x8f: // EMPTY_SET
        return this.push(new Set());
      case char('l'):
      case char('t'):
        return this.push(this.popMark());
      case 0x91: // FROZENSET
        return this.push(new Set(this.popMark()));
      case char('d'):
        return this.push(this.setItems(new Map(), this.popMark()));
      case 0x85:
      case 0x86:
      case 0x87:
        return this.push(this.popMany(opcode - 0x84));
      case char('a'):
        return this.append([this.pop()]);
      case char('e'):
        return this.append(this.popMark());
      case char('s'): {
        const pair = this.popMany(2);
        this.setItems(this.top(), pair);
        return true;
      }
      case char('u'): {
        const pairs = this.popMark();
        this.setItems(this.top(), pairs);
        return true;
      }
      case 0x90: {
        const items = this.popMark();
        const set = this.top();
        if (!(set instanceof Set)) throw this.error('ADDITEMS on something that is no set');
        for (const item of items) set.add(item);
        return true;
      }
      default:
        return false;
    }
  }

  private memory(opcode: number): boolean {
    switch (opcode) {
      case char('0'):
        this.pop();
        return true;
      case char('1'):
        this.popMark();
        return true;
      case char('2'):
        return this.push(this.top());
      case char('q'):
        return this.put(this.byte());
      case char('r'):
        return this.put(this.view.getUint32(this.take(4), true));
      case char('p'):
        return this.put(Number(this.line()));
      case 0x94: // MEMOIZE
        return this.put(this.memo.size);
      case char('h'):
        return this.get(this.byte());
      case char('j'):
        return this.get(this.view.getUint32(this.take(4), true));
      case char('g'):
        return this.get(Number(this.line()));
      default:
        return false;
    }
  }

  /** Opcodes of globals and of the objects made with them. */
  private object(opcode: number): boolean {
    switch (opcode) {
      case char('c'):
        return this.push(this.global(`${this.line()}.${this.line()}`));
      case 0x93: {
        const [module, name] = this.popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string') throw this.error('a global without a name');
        return this.push(this.global(`${module}.${name}`));
      }
      case char('R'): // REDUCE
      case 0x81: {
        // NEWOBJ
        const [callee, args] = this.popMany(2);
        if (!(callee instanceof PickleGlobal) || !callee.call || !Array.isArray(args)) {
          const name = callee instanceof PickleGlobal ? callee.name : typeof callee;
          throw this.error(`it calls ${name}, which is not a call of plain data; nothing was executed`);
        }
        return this.push(this.called(callee.call, args));
      }
      case char('b'): {
        // BUILD: attributes of an OrderedDict (a state dict's _metadata) carry no numbers.
        const state = this.pop();
        const made = this.top();
        if (made instanceof PickledObject) this.called((args, spend) => made.build(args[0], spend), [state]);
        else if (!(made instanceof Map) && !this.options.build?.(made, state))
          throw this.error('it sets attributes of an object; only plain state dicts are read');
        return true;
      }
      case char('Q'):
        return this.push(this.persistent(this.pop()));
      case char('P'):
        return this.push(this.persistent(this.line()));
      default:
        return false;
    }
  }

  private called(call: NonNullable<PickleGlobal['call']>, args: unknown[]): unknown {
    try {
      return call(args, this.spend);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw why.startsWith(this.options.what) ? error : this.error(why);
    }
  }

  private global(name: string): PickleGlobal {
    const found = this.options.findGlobal(name);
    if (found) return found;
    throw this.error(
      `it asks for the Python object ${clip(name)}, which is not plain data; nothing was executed. ` +
        'In Python, save a plain dict of tensors instead: torch.save(model.state_dict(), path)',
    );
  }

  private persistent(id: unknown): unknown {
    if (!this.options.persistentLoad) throw this.error('it refers to data outside itself');
    return this.options.persistentLoad(id);
  }

  private setItems(map: unknown, flat: unknown[]): unknown {
    if (!(map instanceof Map) || flat.length % 2 !== 0) throw this.error('items are set on something that is no dict');
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    return map;
  }

  private append(items: unknown[]): boolean {
    const list = this.top();
    if (!Array.isArray(list)) throw this.error('items are appended to something that is no list');
    for (const item of items) list.push(item);
    return true;
  }

  private put(index: number): boolean {
    this.memo.set(index, this.top());
    return true;
  }

  private get(index: number): boolean {
    if (!this.memo.has(index)) throw this.error(`memo ${index} is used before it is set`);
    return this.push(this.memo.get(index));
  }

  private push(value: unknown): true {
    this.stack.push(value);
    return true;
  }

  private top(): unknown {
    if (this.stack.length === 0) throw this.error('its stack is empty where a value is needed');
    return this.stack[this.stack.length - 1];
  }

  private pop(): unknown {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMany(count: number): unknown[] {
    if (this.stack.length < count) throw this.error('its stack is empty where a value is needed');
    return this.stack.splice(this.stack.length - count, count);
  }

  private popMark(): unknown[] {
    const below = this.marks.pop();
    if (!below) throw this.error('it closes a mark that was not opened');
    const items = this.stack;
    this.stack = below;
    return items;
  }

  private byte(): number {
    return this.bytes[this.take(1)];
  }

  /** Advances by `count` bytes and returns where they begin. */
  private take(count: number): number {
    const at = this.at;
    if (count < 0) throw this.error(`a length of ${count}`);
    if (at + count > this.bytes.length) {
      throw new PickleTruncated(
        `${this.options.what}: the pickle needs ${at + count} bytes but has ${this.bytes.length}; it is truncated`,
      );
    }
    this.at += count;
    return at;
  }

  private length8(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  private blob(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.slice(at, at + length);
  }

  private string(length: number): string {
    const at = this.take(length);
    return new TextDecoder().decode(this.bytes.subarray(at, at + length));
  }

  private line(encoding: 'utf-8' | 'latin1' = 'utf-8'): string {
    const end = this.bytes.indexOf(10, this.at);
    const at = this.take((end < 0 ? this.bytes.length : end) - this.at + 1);
    const text = this.bytes.subarray(at, end);
    // TextDecoder's latin1 is windows-1252, which differs from it.
    if (encoding === 'latin1') return Buffer.from(text).toString('latin1');
    return new TextDecoder().decode(text).replace(/\r$/, '');
  }

  /** Little-endian two's complement. */
  private long(length: number): number | bigint {
    if (length > 1024) throw this.error(`an integer of ${length} bytes`);
    const at = this.take(length);
    const hex = Buffer.from(this.bytes.subarray(at, at + length))
      .reverse()
      .toString('hex');
    return narrow(BigInt.asIntN(8 * length, BigInt(`0x0${hex}`)));
  }

  private textNumber(opcode: number): unknown {
    const line = this.line();
    if (opcode === char('I') && (line === '00' || line === '01')) return line === '01';
    if (opcode === char('F')) return Number(line.replace(/^([+-]?)inf$/, '$1Infinity'));
    if (!/^[+-]?\d{1,400}L?$/.test(line)) throw this.error(`"${line.slice(0, 40)}" is no integer`);
    return narrow(BigInt(line.replace(/L$/, '')));
  }

  private readonly spend: Spend = (units) => {
    this.work -= units;
    if (this.work < 0) throw this.error('it asks for far more work than a file of its size needs; no plain checkpoint');
  };

  private error(why: string): Error {
    return new Error(`${this.options.what}: pickle is not readable: ${why}`);
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
