"""A small world in the form in which SAELens publishes its SyntheticModel, and what PyTorch draws from it:
test/goldens/synthetic-model/ and synthetic-model.json. The law is written out here feature by feature."""
import json
import os
import struct

import torch
from scipy.stats import norm

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "synthetic-model")
N, D, RANK, SEED, SAMPLES = 40, 12, 3, 42, 400_000


def leaf(f):
    return {"feature_index": f, "mutually_exclusive_children": False, "feature_id": None, "children": []}


def node(f, children, exclusive=False, scale=False):
    of = {**leaf(f), "mutually_exclusive_children": exclusive, "children": children}
    if scale:
        of["scale_children_by_parent"] = True
    return of


# A tree of exclusive scaled children in two levels, one that only gates, and a node without a feature over exclusive roots.
# Numbers are not breadth-first: feature 30 is a parent of 1.
ROOTS = [
    node(0, [node(30, [leaf(1), leaf(2)], True, True), node(5, [leaf(6)], False, True), leaf(7)], True, True),
    node(8, [leaf(9), leaf(10), node(None, [leaf(11), leaf(3)], True)], False, False),
    node(None, [node(12, [leaf(13)], False, True), leaf(14), leaf(15)], True),
]

torch.manual_seed(0)
vectors = torch.randn(N, D)
vectors /= vectors.norm(dim=1, keepdim=True)
bias = torch.randn(D) * 0.2
probabilities = torch.linspace(0.6, 0.05, N)
probabilities[2] = 1.0
factor = torch.randn(N, RANK) * 0.3
diag = 1 - (factor**2).sum(1)
std = torch.abs(0.5 + torch.randn(N, generator=torch.Generator().manual_seed(SEED + 1)) * 0.5)
mean = torch.linspace(2.0, 1.0, N)

CONFIG = {
    "num_features": N,
    "hidden_dim": D,
    "firing_probability": {"exponent": 0.5, "max_prob": 0.6, "min_prob": 0.05, "generator_name": "zipfian"},
    "hierarchy": {"total_root_nodes": 3, "scale_children_by_parent": True, "compensate_probabilities": True},
    "orthogonalization": None,
    "correlation": {"rank": RANK, "correlation_scale": 0.3, "seed": None},
    "std_firing_magnitudes": {"mean": 0.5, "std": 0.5, "min_value": None, "max_value": None, "generator_name": "folded_normal"},
    "mean_firing_magnitudes": {"start": 2.0, "end": 1.0, "generator_name": "linear"},
    "bias": 0.5,
    "dtype": "float32",
    "seed": SEED,
}


def safetensors(path, tensors):
    header, at = {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + 4 * t.numel()]}
        at += 4 * t.numel()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(t.contiguous().numpy().tobytes())


def draw(correlated):
    g = torch.Generator().manual_seed(7)
    normal = lambda *shape: torch.randn(*shape, generator=g)
    noise = normal(SAMPLES, N)
    z = normal(SAMPLES, RANK) @ factor.T + noise * diag.sqrt() if correlated else noise
    threshold = torch.tensor([norm.ppf(1 - p) for p in probabilities.tolist()], dtype=torch.float32)
    c = ((z > threshold) * torch.relu(mean + std * normal(SAMPLES, N))).clone()

    def down(n, parent):
        here = parent if n["feature_index"] is None else n["feature_index"]
        children = n["children"]
        features = [k["feature_index"] for k in children if k["feature_index"] is not None]
        for f in features:
            if here is not None:
                on = c[:, here] > 0
                c[:, f] *= c[:, here] / mean[here] if n.get("scale_children_by_parent") else on
        if n["mutually_exclusive_children"] and len(features) > 1:
            active = c[:, features] > 0
            score = torch.where(active, torch.rand(SAMPLES, len(features), generator=g), torch.tensor(-1.0))
            best = score.argmax(1)
            for i, f in enumerate(features):
                c[:, f] *= best == i
        for k in children:
            down(k, here)

    for root in ROOTS:
        down(root, None)
    fires = (c > 0).float()
    return {
        "frequencies": fires.mean(0).double().tolist(),
        "means": (c.double().sum(0) / fires.double().sum(0)).tolist(),
        "together": ((fires.T.double() @ fires.double()) / SAMPLES).flatten().tolist(),
        "x": (c @ vectors + bias).double().mean(0).tolist(),
    }


os.makedirs(FOLDER, exist_ok=True)
with open(os.path.join(FOLDER, "synthetic_model_config.json"), "w") as f:
    json.dump(CONFIG, f, indent=2)
with open(os.path.join(FOLDER, "hierarchy.json"), "w") as f:
    json.dump({"roots": ROOTS}, f)
safetensors(
    os.path.join(FOLDER, "synthetic_model.safetensors"),
    {
        "feature_vectors": vectors,
        "bias": bias,
        "firing_probabilities": probabilities,
        "correlation_factor": factor,
        "correlation_diag": diag,
    },
)
randn = lambda n, seed: torch.randn(n, generator=torch.Generator().manual_seed(seed)).double().tolist()
with open(os.path.join(HERE, "synthetic-model.json"), "w") as f:
    json.dump(
        {
            "samples": SAMPLES,
            "randn": [[n, seed, randn(n, seed)] for n, seed in ((1, 0), (7, 3), (16, 43), (32, 5), (45, 4294967295))],
            "std": std.double().tolist(),
            "mean": mean.double().tolist(),
            "correlated": draw(True),
            "independent": draw(False),
        },
        f,
    )
