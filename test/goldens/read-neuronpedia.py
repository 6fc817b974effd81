"""A second reader of Neuronpedia's feature JSON: checks the fields of every batch and gives the features in order.

Takes the folder as argument; writes [{feature, 'groups': [[bin_min, bin_max, bin_contains, examples], ...]}, ...]. Used by test/unit/sae/neuronpedia.test.ts.
"""

import json
import os
import re
import sys

BATCH = {'model_id', 'layer', 'sae_set', 'sae_id_suffix', 'features'}
LISTS = {'neuron_alignment_indices', 'neuron_alignment_values', 'neuron_alignment_l1', 'correlated_neurons_indices',
         'correlated_neurons_l1', 'correlated_neurons_pearson', 'correlated_features_indices', 'correlated_features_l1',
         'correlated_features_pearson', 'neg_str', 'neg_values', 'pos_str', 'pos_values', 'freq_hist_data_bar_values',
         'freq_hist_data_bar_heights', 'logits_hist_data_bar_heights', 'logits_hist_data_bar_values', 'activations',
         'decoder_weights_dist', 'vector'}
NUMBERS = {'feature_index', 'frac_nonzero', 'n_prompts_total', 'n_tokens_in_prompt'}
ACTIVATION = {'bin_min', 'bin_max', 'bin_contains', 'tokens', 'values', 'qualifying_token_index'}

folder = sys.argv[1]
names = sorted(os.listdir(folder), key=lambda n: int(re.fullmatch(r'batch-(\d+)\.json', n)[1]))
features = []
for name in names:
    batch = json.load(open(os.path.join(folder, name), encoding='utf8'), parse_constant=lambda c: sys.exit(f'{c} in {name}'))
    assert set(batch) == BATCH and len(batch['features']) <= 128, name
    for f in batch['features']:
        assert set(f) == LISTS | NUMBERS | {'dataset'}
        assert all(isinstance(f[k], list) for k in LISTS) and all(isinstance(f[k], (int, float)) for k in NUMBERS)
        assert len(f['pos_str']) == len(f['pos_values']) and len(f['neg_str']) == len(f['neg_values'])
        assert len(f['freq_hist_data_bar_values']) == len(f['freq_hist_data_bar_heights'])
        assert len(f['logits_hist_data_bar_values']) == len(f['logits_hist_data_bar_heights'])
        groups = {}
        for a in f['activations']:
            assert set(a) == ACTIVATION and len(a['tokens']) == len(a['values'])
            key = (a['bin_min'], a['bin_max'], a['bin_contains'])
            groups.setdefault(key, []).append(a)
            if key[0] == -1:
                # "TOP ACTIVATIONS": bin_max is the maximum, nothing is said of how many.
                assert key[2] == -1 and a['values'][a['qualifying_token_index']] <= key[1]
            else:
                # "INTERVAL": a share of all tokens.
                assert 0 <= key[2] <= 1 and key[0] <= a['values'][a['qualifying_token_index']] <= key[1]
        assert sum(k[0] == -1 for k in groups) == (1 if f['activations'] else 0)
        f['groups'] = [[*k, len(v)] for k, v in groups.items()]
        features.append(f)
assert [f['feature_index'] for f in features] == list(range(len(features)))
json.dump(features, sys.stdout)
