"""Checkpoints of top-k SAEs as plain PyTorch trainers save them, a sample of the layout "pre_bias" as large as one needs
for maps and graphs: unit decoder rows in groups, an encoder that is a transposed view near the decoder.

Run: /usr/bin/python3 test/goldens/pre-bias.py  (torch 1.13) -> test/goldens/pre-bias/sae_96_4.pt, sae_256_4.pt
"""

import os

import torch

D = 16
torch.manual_seed(5)
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pre-bias')
os.makedirs(folder, exist_ok=True)


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def checkpoint(features, groups, spread):
    centres = unit(torch.randn(groups, D))
    decoder = unit(centres[torch.arange(features) % groups] + spread * torch.randn(features, D))
    encoder = decoder + 0.1 * torch.randn(features, D)
    torch.save(
        {
            'pre_bias': 0.1 * torch.randn(D),
            'encoder_bias': 0.05 * torch.randn(features),
            'encoder_weights': encoder.t(),
            'decoder_weights': decoder,
        },
        os.path.join(folder, f'sae_{features}_4.pt'),
    )


checkpoint(96, 96, 0.0)
checkpoint(256, 16, 0.15)
