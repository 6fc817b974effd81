/** Names that cells share: properties of the global object, declared before a cell runs and assigned as it goes. */

type Bag = Record<string, unknown>;

export class SessionScope {
  /** Names of the runtime. A cell that declares one of them gets a separate variable, so libraries keep theirs. */
  readonly reserved: ReadonlySet<string>;
  /** The separate variables for reserved names; cells see them through `with`. */
  readonly shadows: Bag = Object.create(null) as Bag;
  private readonly declared = new Set<string>();

  constructor(private readonly globals: Bag = globalThis as Bag) {
    this.reserved = new Set(Object.getOwnPropertyNames(globals));
  }

  get shadowed(): boolean {
    return Object.keys(this.shadows).length > 0;
  }

  /** Names that cells declared and that have a value. */
  names(): string[] {
    return [...this.declared].filter((name) => {
      const property = Object.getOwnPropertyDescriptor(this.home(name), name);
      // Names of the compiler's helpers begin with two underscores.
      return property !== undefined && 'value' in property && !name.startsWith('__');
    });
  }

  /** Value of a declared name; accessors are not called. */
  value(name: string): unknown {
    return Object.getOwnPropertyDescriptor(this.home(name), name)?.value;
  }

  /** Defines a name for cells, such as `fg` and `params`. */
  set(name: string, value: unknown): void {
    Object.defineProperty(this.globals, name, { value, writable: true, configurable: true, enumerable: false });
  }

  /**
   * Makes names assignable from strict code. A name without a value yet throws when read, as in JavaScript; names of
   * earlier cells keep their values until the cell reaches the declaration.
   * @param early names that are undefined from the start (`var`).
   * @returns a function to call when the cell has ended: it undeclares names that the cell never reached.
   */
  declare(names: readonly string[], early: readonly string[] = []): () => void {
    const fresh = names.filter((name) => !Object.hasOwn(this.home(name), name));
    for (const name of names) this.declared.add(name);
    for (const name of fresh) this.declareHole(this.home(name), name);
    for (const name of early) if (fresh.includes(name)) this.home(name)[name] = undefined;
    return () => {
      for (const name of fresh) {
        const home = this.home(name);
        if (Object.getOwnPropertyDescriptor(home, name)?.get) delete home[name];
      }
    };
  }

  /**
   * Defines what `export … from` gives later cells.
   * @param names pairs of the module's name and the cell's; default all but `default`. Names that the module lacks are
   *   types and are left out.
   */
  adopt(from: Readonly<Record<string, unknown>>, names?: ReadonlyArray<readonly [string, string]>): void {
    const own = from.default as Bag | null | undefined;
    const canHold = (typeof own === 'object' && own !== null) || typeof own === 'function';
    const all = Object.keys(from).filter((name) => name !== 'default');
    for (const [name, local] of names ?? all.map((each) => [each, each] as const)) {
      if (!(name in from) && !(canHold && name in own)) continue;
      this.declared.add(local);
      const property = { writable: true, configurable: true, enumerable: true };
      Object.defineProperty(this.home(local), local, { ...property, value: name in from ? from[name] : own?.[name] });
    }
  }

  private home(name: string): Bag {
    return this.reserved.has(name) ? this.shadows : this.globals;
  }

  private declareHole(home: Bag, name: string): void {
    Object.defineProperty(home, name, {
      configurable: true,
      enumerable: true,
      get() {
        throw new ReferenceError(`Cannot access '${name}' before initialization`);
      },
      set(value: unknown) {
        Object.defineProperty(home, name, { value, writable: true, configurable: true, enumerable: true });
      },
    });
  }

  /** The value that `var name;` leaves as it is. */
  keep(name: string): unknown {
    return this.value(name);
  }
}
