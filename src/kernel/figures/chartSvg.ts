/** A chart's Vega spec as SVG text. No URL is loaded; expressions run in vega-interpreter, never as code. */
import * as vega from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import type { JsonObject } from '../../protocol/notebook.js';
import { fromPlainJson } from '../../protocol/objects.js';

function closedLoader(): vega.Loader {
  const refuse = (uri: string) => Promise.reject(new Error(`charts load nothing from outside, refused ${uri}`));
  return { ...vega.loader(), load: refuse, sanitize: refuse, http: refuse, file: refuse } as vega.Loader;
}

/** Collects errors of the data flow: Vega gives them to its logger alone and goes on with an empty picture. */
function errorsInto(errors: string[]): vega.LoggerInterface {
  const silent = () => logger;
  const keep = (...told: readonly unknown[]) => {
    errors.push(told.map((each) => (each instanceof Error ? each.message : String(each))).join(' '));
    return logger;
  };
  // Cast: the type's `level` also reads the level, which Vega never does.
  const logger = {
    ...{ level: silent, info: silent, debug: silent },
    error: keep,
    // A load that our loader refused is only a warning to Vega.
    warn: (...told: readonly unknown[]) => (told[0] === 'Loading failed' ? keep(...told) : logger),
  } as unknown as vega.LoggerInterface;
  return logger;
}

/** @throws Error when it is no spec, names unknown parts, or loads anything. */
export async function chartSvg(spec: JsonObject): Promise<string> {
  // Vega itself refuses what is no spec.
  const runtime = vega.parse(fromPlainJson<vega.Spec>(spec), undefined, { ast: true });
  const errors: string[] = [];
  const view = new vega.View(runtime, {
    renderer: 'none',
    expr: expressionInterpreter,
    loader: closedLoader(),
    logger: errorsInto(errors),
  });
  try {
    const svg = await view.toSVG();
    if (errors.length > 0) throw new Error(errors[0]);
    return svg;
  } finally {
    view.finalize();
  }
}
