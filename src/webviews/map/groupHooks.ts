/** What the tabs of groups and of kept selections do on a map. */
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import { download } from '../ui/save.js';
import { decodersOf } from './groupScores.js';
import type { GroupHooks } from './groupsTab.js';
import type { MapHost } from './host.js';
import type { MapModel, MapSource } from './model.js';
import { NOTHING_ASKED, type Asked } from './selecting.js';
import type { SelectionsHooks } from './selectionsTab.js';
import type { MapViewState } from './state.js';

interface Grouped {
  model: MapModel;
  source: MapSource;
  options: MapHost;
  state: MapViewState;
  /** Lights a group by its name, or one that was typed; null: none. */
  light(name: string | null, typed: KeywordGroup | null): void;
  keep(groups: KeywordGroup[]): void;
  ask(asked: Asked): void;
  say(text: string): void;
}

export function groupHooks({ model, source, options, state, ...map }: Grouped): GroupHooks & SelectionsHooks {
  return {
    choose: (group) => {
      const own = model.meta.groups?.find((each) => each === group);
      state.group = own?.name ?? null;
      state.typed = group && !own ? `${group.name}: ${group.words.join(' ')}` : '';
      map.light(state.group, own ? null : group);
    },
    kept: (groups) => map.keep(groups),
    reopen: ({ name }) => map.ask({ ...NOTHING_ASKED, groups: state.groups, group: name }),
    decoders: () => source.matrix().then((all) => decodersOf(model, all)),
    saveFile: (file) => (options.saveFile ?? download)(file),
    say: (text) => map.say(text),
  };
}
