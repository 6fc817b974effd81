/** A chart's Vega spec as SVG text. No URL is loaded; expressions run in vega-interpreter, never as code. */
import * as vega from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import type { JsonObject } from '../../protocol/notebook.js';

function closedLoader(): vega.Loader {
  const refuse = (uri: string) => Promise.reject(new Error(`charts load nothing from outside, refused ${uri}`));
  return { ...vega.loader(), load: refuse, sanitize: refuse, http: refuse, file: refuse } as vega.Loader;
}

export async function chartSvg(spec: JsonObject): Promise<string> {
  const runtime = vega.parse(spec as unknown as vega.Spec, undefined, { ast: true });
  const view = new vega.View(runtime, {
    renderer: 'none',
    expr: expressionInterpreter,
    loader: closedLoader(),
    logLevel: vega.None,
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
